import { join } from 'node:path';
import { divideRound } from '../../../shared/backup/distributed/divide-round.ts';
import { holderEventSchema, type LaneEvent, laneEventSchema } from '../../../shared/backup/distributed/events.ts';
import { finishExport } from '../../../shared/backup/distributed/finish-export.ts';
import { holdSnapshot } from '../../../shared/backup/distributed/holder.ts';
import { invocationTime } from '../../../shared/backup/distributed/invocation-time.ts';
import { exportShare } from '../../../shared/backup/distributed/lane.ts';
import { planExport, storeDefinitions } from '../../../shared/backup/distributed/plan-export.ts';
import type { BackupRequest } from '../../../shared/backup/export/prepare.ts';
import type { Manifest } from '../../../shared/backup/manifest.ts';
import type { BackupSettings } from '../../../shared/configuration/runtime.ts';
import type { Progress } from '../../../shared/contract/schemas/job.ts';
import { type DistributedSteps, toJobError } from '../../../shared/jobs/attempts.ts';
import { type DistributedOutcome, exportDistributed } from '../../../shared/jobs/distributed-backup.ts';
import type { ConnectionTarget } from '../../../shared/postgres/connect.ts';
import { dumpSchema } from '../../../shared/postgres/pg-dump/dump-schema.ts';
import { createExportStore, type ExportState } from '../../../shared/state/exports.ts';
import { newBackupId, newJobId } from '../../../shared/state/ids.ts';
import type { StateTable } from '../../../shared/state/table.ts';
import { type BackupHarness, DATABASE_ID } from './harness.ts';

export interface DistributedOptions {
  /** Of each holder and lane, in milliseconds. */
  invocationMs: number;
  settings?: Partial<BackupSettings>;
  signal?: AbortSignal;
  request?: Partial<BackupRequest>;
  id?: string;
  /** Every lane of the first round is taken for dead at once, works on all the same, and gets a twin. */
  twins?: boolean;
  /** Before a lane's invocation begins; one that throws is one that died. */
  beforeLane?: (event: LaneEvent, tries: number) => Promise<void> | void;
}

export interface DistributedRun {
  id: string;
  outcome: DistributedOutcome<Manifest>;
  /** As it was at the end. */
  state: ExportState;
  /** How often a lane was invoked, by round and lane. */
  lanes: Map<string, number>;
  holders: number;
  progress: Progress[];
}

export const APPLICATION = 'dbms distributed test';

/** Runs a distributed backup with the product's own functions in this process, where an invocation ends as early as is wanted. */
export async function backUpDistributed(
  harness: BackupHarness,
  table: StateTable,
  target: ConnectionTarget,
  {
    invocationMs,
    settings: changed,
    signal = new AbortController().signal,
    request,
    id = newBackupId(),
    beforeLane,
    twins = false,
  }: DistributedOptions,
): Promise<DistributedRun> {
  const exports = createExportStore(table);
  const { store } = harness;
  const settings: BackupSettings = {
    retention_days: 1,
    compression_level: 1,
    connections: 1,
    chunk_bytes: 1_048_576,
    lanes: 3,
    connection_share: 0.5,
    ...changed,
  };
  const exportId = `${id}-1`;
  const whole: BackupRequest = {
    id,
    database: DATABASE_ID,
    backupType: 'full',
    customName: null,
    requestedBy: 'test',
    ...request,
  };
  const named = (name: string): ConnectionTarget => ({ ...target, applicationName: `${APPLICATION} ${name}` });
  const time = () => {
    const end = performance.now() + invocationMs;
    return invocationTime(() => Math.max(0, end - performance.now()));
  };
  const lanes = new Map<string, number>();
  const progress: Progress[] = [];
  let holders = 0;
  const undead: Promise<unknown>[] = [];
  const steps: DistributedSteps = {
    step: (_name, work) => work(),
    audited: (_name, work) => work(),
    wait: async () => undefined,
    parallel: (_name, branches) => Promise.all(branches.map((branch) => branch(steps))),
    async invoke(_name, functionArn, input) {
      if (functionArn === 'holder') {
        holders += 1;
        const event = holderEventSchema.parse(input);
        const report = async (one: Progress) => void progress.push(one);
        const place = { exports, target: named(`holder ${event.track}`), store };
        return holdSnapshot(event, { ...place, report, time: time(), signal, beatMs: 200 });
      }
      const event = laneEventSchema.parse(input);
      const key = `${event.round}/${event.lane}`;
      const tries = (lanes.get(key) ?? 0) + 1;
      lanes.set(key, tries);
      await beforeLane?.(event, tries);
      const place = { exports, target: named(`lane ${event.lane}`), store, settings };
      const answer = exportShare(event, {
        ...place,
        time: time(),
        loadMaskingKey: async () => request?.masking?.maskingKey ?? new Uint8Array(),
        signal,
      }).then(
        ({ left }) => ({ status: 'exported', left }),
        (error: unknown) => ({ status: 'failed', error: toJobError(error) }),
      );
      if (twins && event.round === 1 && tries === 1) {
        undead.push(answer);
        throw new Error('The service heard nothing of it');
      }
      return answer;
    },
  };
  const dump = (snapshot: string, ended: AbortSignal) =>
    dumpSchema({
      target: named('dump'),
      snapshot,
      postgresToolsPath: join(import.meta.dirname, '../../../node_modules'),
      signal: ended,
    });
  const shared = { exports, target: named('main'), store, settings, dump, signal };
  const outcome = await exportDistributed<Manifest>(
    steps,
    { name: 'test', exportId, operations: 2000 },
    {
      holderFunction: 'holder',
      laneFunction: 'lane',
      takeWorkers: async () => 32,
      begin: () => exports.create({ id: exportId, job_id: newJobId(), backup_id: id, database: DATABASE_ID }),
      plan: () => planExport(exportId, whole, { ...shared, time: time(), application: APPLICATION }),
      define: () => storeDefinitions(exportId, shared),
      divide: (_id, round) => divideRound(exportId, round, shared),
      finish: (_id, definitions) =>
        finishExport(exportId, whole, definitions, { ...shared, report: async (one) => void progress.push(one) }),
      giveUp: async (_id, error) => {
        await exports.recordTrouble(exportId, error);
        await exports.markLost(exportId);
      },
      end: () => exports.end(exportId),
    },
  );
  await Promise.all(undead);
  return { id, outcome, state: await exports.get(exportId), lanes, holders, progress };
}
