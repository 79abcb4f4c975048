import { appendFileSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync, truncateSync } from 'node:fs';
import { join } from 'node:path';
import type { StateDisk } from '../state-disk.ts';
import type { Execution, ExecutionEnd, ExecutionStart, HistoryEvent, Operation } from './model.ts';

type Entry = { start?: ExecutionStart; operations?: Operation[]; events?: HistoryEvent[]; end?: ExecutionEnd };

/** Keeps executions on disk: one file each, to which every change is appended before it is answered. */
export type ExecutionStore = {
  readonly load: () => Execution[];
  readonly append: (executionId: string, entry: Entry) => void;
};

/** @param folder where the files are; made when absent. Executions ended longer ago than their retention are removed on load. */
export function openExecutionStore(folder: string, disk: StateDisk): ExecutionStore {
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  const pathOf = (id: string) => join(folder, `${id}.jsonl`);

  function load(): Execution[] {
    const executions: Execution[] = [];
    for (const file of readdirSync(folder).filter((name) => name.endsWith('.jsonl'))) {
      const execution = read(join(folder, file));
      if (!execution || isExpired(execution)) rmSync(join(folder, file));
      else executions.push(execution);
    }
    return executions.sort((a, b) => a.start.startedAt - b.start.startedAt);
  }

  function append(id: string, entry: Entry): void {
    const path = pathOf(id);
    const before = statSync(path, { throwIfNoEntry: false })?.size;
    try {
      appendFileSync(path, `${JSON.stringify(entry)}\n`, { mode: 0o600 });
    } catch (error) {
      // A full disk may take a part of it, to which the next entry would be joined.
      disk.report(error);
      try {
        if (before === undefined) rmSync(path, { force: true });
        else truncateSync(path, before);
      } catch {
        // Then the part is a line of its own when it is read again; see `read`.
      }
      throw error;
    }
  }

  return { load, append };
}

function read(path: string): Execution | null {
  let execution: Execution | null = null;
  const text = readFileSync(path, 'utf8');
  if (!text.endsWith('\n')) appendFileSync(path, '\n');
  for (const line of text.split('\n')) {
    const entry = parse(line);
    if (!entry) continue;
    if (entry.start) execution = { start: entry.start, operations: new Map(), events: [], end: null };
    if (!execution) continue;
    for (const operation of entry.operations ?? []) execution.operations.set(operation.Id, operation);
    execution.events.push(...(entry.events ?? []));
    execution.end = entry.end ?? execution.end;
  }
  return execution;
}

/** The last line may be cut short when the machine stopped while it was written: that change was never answered. */
function parse(line: string): Entry | null {
  try {
    return line === '' ? null : (JSON.parse(line) as Entry);
  } catch {
    return null;
  }
}

function isExpired({ start, end }: Execution): boolean {
  return end !== null && end.endedAt + start.retentionDays * 86_400_000 < Date.now();
}
