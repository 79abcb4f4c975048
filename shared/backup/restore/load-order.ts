import { insertSorted } from './insert-sorted.ts';

/** What is loaded: bytes of one part of a table. */
export interface Loadable<Table> {
  table: Table;
  bytes: number;
}

/** Hands out parts of tables; see {@link loadOrder}. */
export interface LoadOrder<Task> extends Iterable<Task> {
  /** The next part to load; undefined when all are handed out. */
  next(): Task | undefined;
  /** Tells that a part is loaded. */
  done(task: Task): void;
}

/**
 * Parts of the tables in the order in which lanes should load them: of the tables on which the fewest lanes are at work, the
 * one with the most left to load. Two lanes that fill one table wait for each other whenever it grows.
 */
export function loadOrder<Table, Task extends Loadable<Table>>(tasks: readonly Task[]): LoadOrder<Task> {
  interface Waiting {
    tasks: Task[];
    bytes: number;
    active: number;
  }
  const tables = new Map<Table, Waiting>();
  for (const task of tasks) {
    const known = tables.get(task.table) ?? { tasks: [], bytes: 0, active: 0 };
    known.tasks.push(task);
    known.bytes += task.bytes;
    tables.set(task.table, known);
  }
  const byBytes = (a: Waiting, b: Waiting): number => a.bytes - b.bytes;
  /** Tables on which no lane is at work, the largest last: there may be a hundred thousand, so none is looked for among them. */
  const resting = [...tables.values()].reverse().sort(byBytes);
  /** The others with something left, no more than there are lanes. */
  const shared = new Set<Waiting>();

  function next(): Task | undefined {
    let best = resting.pop();
    if (!best) {
      for (const table of shared) {
        const isBetter =
          !best || table.active < best.active || (table.active === best.active && table.bytes > best.bytes);
        if (isBetter) best = table;
      }
    }
    const task = best?.tasks.shift();
    if (!best || !task) return undefined;
    best.active += 1;
    best.bytes -= task.bytes;
    if (best.tasks.length > 0) shared.add(best);
    else shared.delete(best);
    return task;
  }

  return {
    next,
    *[Symbol.iterator]() {
      for (let task = next(); task !== undefined; task = next()) yield task;
    },
    done({ table }) {
      const known = tables.get(table);
      if (!known) return;
      known.active -= 1;
      if (known.active === 0 && shared.delete(known)) insertSorted(resting, known, byBytes);
    },
  };
}
