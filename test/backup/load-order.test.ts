import fc from 'fast-check';
import { expect, it } from 'vitest';
import { type Loadable, loadOrder } from '../../shared/backup/restore/load-order.ts';

type Task = Loadable<string> & { chunk: number };

const partsArbitrary = fc.array(fc.tuple(fc.constantFrom('a', 'b', 'c', 'd'), fc.nat(1000)), { maxLength: 40 });

const tasksOf = (parts: readonly (readonly [string, number])[]): Task[] =>
  parts.map(([table, bytes], chunk) => ({ table, bytes, chunk }));

it('hands out every part once, whenever lanes become free', () => {
  fc.assert(
    fc.property(partsArbitrary, fc.infiniteStream(fc.nat(3)), (parts, lengths) => {
      const tasks = tasksOf(parts);
      const order = loadOrder(tasks);
      const active: Task[] = [];
      const taken: number[] = [];
      for (let task = order.next(); task !== undefined; task = order.next()) {
        taken.push(task.chunk);
        active.push(task);
        const free = lengths.next().value ?? 0;
        for (let index = 0; index < free; index++) {
          const done = active.shift();
          if (done) order.done(done);
        }
      }
      expect(taken.sort((a, b) => a - b)).toEqual(tasks.map(({ chunk }) => chunk));
    }),
  );
});

it('gives two lanes different tables as long as there are two', () => {
  const order = loadOrder(
    tasksOf([
      ['large', 500],
      ['large', 500],
      ['large', 500],
      ['small', 100],
    ]),
  );
  const [first, second, third] = [order.next(), order.next(), order.next()];
  expect([first?.table, second?.table, third?.table]).toEqual(['large', 'small', 'large']);
});

it('goes on with the table that has the most left', () => {
  const order = loadOrder(
    tasksOf([
      ['a', 300],
      ['b', 200],
      ['a', 300],
      ['c', 50],
    ]),
  );
  const first = order.next() as Task;
  const second = order.next() as Task;
  order.done(first);
  expect([first.table, second.table, (order.next() as Task).table]).toEqual(['a', 'b', 'a']);
});
