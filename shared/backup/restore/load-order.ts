/** What is loaded: bytes of one part of a table. */
export interface Loadable<Table> {
  table: Table;
  bytes: number;
}

/** Hands out parts of tables; see {@link loadOrder}. */
export interface LoadOrder<Task> {
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
  const tables = new Map<Table, { waiting: Task[]; bytes: number; active: number }>();
  for (const task of tasks) {
    const known = tables.get(task.table) ?? { waiting: [], bytes: 0, active: 0 };
    known.waiting.push(task);
    known.bytes += task.bytes;
    tables.set(task.table, known);
  }

  function next(): Task | undefined {
    let best: { waiting: Task[]; bytes: number; active: number } | undefined;
    for (const table of tables.values()) {
      if (table.waiting.length === 0) continue;
      const isBetter =
        !best || table.active < best.active || (table.active === best.active && table.bytes > best.bytes);
      if (isBetter) best = table;
    }
    const task = best?.waiting.shift();
    if (best && task) {
      best.active += 1;
      best.bytes -= task.bytes;
    }
    return task;
  }

  return {
    next,
    done({ table }) {
      const known = tables.get(table);
      if (known) known.active -= 1;
    },
  };
}
