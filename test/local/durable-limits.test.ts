import { expect, it } from 'vitest';
import type { Operation, OperationUpdate } from '../../local/durable/model.ts';
import { maximumOperations, validateUpdates } from '../../local/durable/validate.ts';

const known = (count: number): Map<string, Operation> =>
  new Map(
    Array.from({ length: count }, (_, n) => [
      `${n}`,
      { Id: `${n}`, Type: 'STEP', Status: 'STARTED', StartTimestamp: 0 } satisfies Operation,
    ]),
  );
const update = (Id: string, Action: OperationUpdate['Action']): OperationUpdate => ({ Id, Type: 'STEP', Action });

it('an execution has no more operations than Lambda allows, and those it has can end', () => {
  const full = known(maximumOperations);
  expect(() => validateUpdates([update('new', 'START')], full)).toThrow(/3000 operations/);
  expect(() => validateUpdates([update('1', 'SUCCEED'), update('2', 'SUCCEED')], full)).not.toThrow();
  const almost = known(maximumOperations - 1);
  expect(() => validateUpdates([update('new', 'START'), update('new', 'SUCCEED')], almost)).not.toThrow();
  expect(() => validateUpdates([update('new', 'START'), update('more', 'START')], almost)).toThrow(/3000/);
});
