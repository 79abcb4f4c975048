import type pg from 'pg';
import { listed } from '../../../listed.ts';
import { quoteLiteral, quoteQualified } from '../../../postgres/identifiers.ts';
import type { Manifest } from '../../manifest.ts';
import type { Finding } from '../findings.ts';
import { setSequences } from '../load-rows.ts';
import type { SelectedRows } from './select-tables.ts';
import { sequencesSql } from './target.sql.ts';

type Position = Manifest['sequences'][number];

interface Sequence {
  schema: string;
  name: string;
  ascending: boolean;
  settable: boolean;
  counting: boolean;
}

/** A position of the backup, and the sequence that may get it. */
export interface WantedPosition extends Position {
  ascending: boolean;
}

const key = ({ schema, name }: { schema: string; name: string }): string => JSON.stringify([schema, name]);
const nameOf = ({ schema, name }: { schema: string; name: string }): string => `${schema}.${name}`;

/**
 * Finds the sequences whose positions come with the rows: those that are chosen, and those that columns of the tables count with.
 *
 * @param members - numbers of the relations that get rows
 */
export async function findPositions(
  client: pg.Client,
  positions: readonly Position[],
  members: readonly string[],
  isChosen: SelectedRows['isChosen'],
  problems: Finding[],
  warnings: Finding[],
): Promise<WantedPosition[]> {
  const { rows } = await client.query<Sequence>(sequencesSql, [members]);
  const present = new Map(rows.map((sequence) => [key(sequence), sequence]));
  const held = new Set(positions.map(key));
  const wanted = positions.filter((position) => isChosen(position) || present.get(key(position))?.counting);
  const missing = wanted.filter((position) => !present.has(key(position)));
  const unknown = rows.filter((sequence) => sequence.counting && !held.has(key(sequence)));
  const found = wanted.flatMap((position) => {
    const sequence = present.get(key(position));
    return sequence ? [{ position, sequence }] : [];
  });
  const refused = found.filter(({ sequence }) => !sequence.settable);
  if (missing.length > 0) {
    warnings.push({
      code: 'sequences_missing',
      message: `The database does not have the sequences ${listed(missing.map(nameOf))}`,
      nextStep: 'Nothing, if nothing counts with them.',
    });
  }
  if (unknown.length > 0) {
    warnings.push({
      code: 'positions_missing',
      message: `Columns that get rows count with sequences of which the backup has no position: ${listed(unknown.map(nameOf))}`,
      nextStep:
        'Set them past the largest value of their columns with setval, or the next row may take a number that is taken.',
    });
  }
  if (refused.length > 0) {
    problems.push({
      code: 'sequences_refused',
      message: `The login may not read and set the sequences ${listed(refused.map(({ sequence }) => nameOf(sequence)))}`,
      nextStep: 'GRANT SELECT, UPDATE on them, and USAGE on their schemas, to the login.',
    });
  }
  return found.map(({ position, sequence }) => ({ ...position, ascending: sequence.ascending }));
}

const SEQUENCES_PER_QUERY = 200;

/** Sets sequences to the positions of the backup, but none back: numbers that were given out since are not given again. */
export async function advanceSequences(client: pg.Client, wanted: readonly WantedPosition[]): Promise<void> {
  for (let start = 0; start < wanted.length; start += SEQUENCES_PER_QUERY) {
    const batch = wanted.slice(start, start + SEQUENCES_PER_QUERY);
    const parts = batch.map(
      ({ schema, name }, index) =>
        `SELECT ${quoteLiteral(String(index))} AS index, last_value::text, is_called FROM ${quoteQualified(schema, name)}`,
    );
    const { rows } = await client.query<{ index: string; last_value: string; is_called: boolean }>(
      parts.join('\nUNION ALL\n'),
    );
    const current = new Map(rows.map((row) => [Number(row.index), row]));
    const ahead = batch.filter((position, index) => {
      const now = current.get(index);
      return now !== undefined && isAhead(position, now);
    });
    await setSequences(client, ahead);
  }
}

/** Whether a position comes after another in the direction in which its sequence counts. */
export function isAhead(
  position: Pick<WantedPosition, 'last_value' | 'is_called' | 'ascending'>,
  than: Pick<Position, 'last_value' | 'is_called'>,
): boolean {
  const [value, other] = [BigInt(position.last_value), BigInt(than.last_value)];
  if (value === other) return position.is_called && !than.is_called;
  return position.ascending ? value > other : value < other;
}
