import { expect, test } from 'vitest';
import { matchTypes } from '../../../../shared/backup/restore/rows/match-types.ts';
import { isAhead } from '../../../../shared/backup/restore/rows/positions.ts';

test.each([
  ['integer', 'integer', 'same'],
  ['sales.mood', 'sales.mood', 'same'],
  ['smallint', 'bigint', 'wider'],
  ['bigint', 'integer', 'other'],
  ['integer', 'numeric', 'wider'],
  ['integer', 'numeric(5,0)', 'other'],
  ['integer', 'text', 'other'],
  ['integer', 'double precision', 'other'],
  ['real', 'double precision', 'wider'],
  ['double precision', 'real', 'other'],
  ['numeric(10,2)', 'numeric', 'wider'],
  ['numeric(10,2)', 'numeric(12,4)', 'wider'],
  ['numeric(10,2)', 'numeric(12,1)', 'other'],
  ['numeric(10,2)', 'numeric(10,3)', 'other'],
  ['numeric', 'numeric(10,2)', 'other'],
  ['character varying(10)', 'character varying(20)', 'wider'],
  ['character varying(20)', 'character varying(10)', 'other'],
  ['character varying(20)', 'character varying', 'wider'],
  ['character varying', 'character varying(20)', 'other'],
  ['character varying(20)', 'text', 'wider'],
  ['text', 'character varying', 'wider'],
  ['text', 'character varying(10)', 'other'],
  ['character(5)', 'text', 'other'],
  ['bit varying(3)', 'bit varying(4)', 'wider'],
  ['bit varying(3)', 'character varying(4)', 'other'],
  ['timestamp(0) without time zone', 'timestamp without time zone', 'wider'],
  ['timestamp without time zone', 'timestamp(3) without time zone', 'other'],
  ['timestamp without time zone', 'timestamp with time zone', 'other'],
  ['integer[]', 'bigint[]', 'wider'],
  ['integer[]', 'bigint', 'other'],
  ['json', 'jsonb', 'other'],
])('%s in %s: %s', (from, to, expected) => {
  expect(matchTypes(from, to)).toBe(expected);
});

test.each([
  [{ last_value: '5', is_called: true, ascending: true }, { last_value: '5', is_called: false }, true],
  [{ last_value: '5', is_called: false, ascending: true }, { last_value: '5', is_called: true }, false],
  [{ last_value: '9', is_called: false, ascending: true }, { last_value: '10', is_called: true }, false],
  [{ last_value: '-9', is_called: true, ascending: false }, { last_value: '-6', is_called: true }, true],
  [{ last_value: '-6', is_called: true, ascending: false }, { last_value: '-9', is_called: true }, false],
  [
    { last_value: '9223372036854775807', is_called: true, ascending: true },
    { last_value: '9223372036854775806', is_called: true },
    true,
  ],
])('whether the position %j is ahead of %j: %j', (position, than, expected) => {
  expect(isAhead(position, than)).toBe(expected);
});
