import { existsSync, readFileSync } from 'node:fs';
import { appendFile, chown, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { freePort } from '../../ports.ts';
import type { Place } from '../folder.ts';
import { endServer, finish, guardServer, launch, stopFormer, untilReady } from '../processes.ts';
import { accessRules, type Passwords, settingsFileName } from './data.ts';
import { type ManagedProfile, rdsadmin } from './profile.ts';
import { openRdsadmin, type RdsadminSessions } from './rdsadmin.ts';
import { type ClusterPlace, settingsFile } from './settings.ts';

type Login = { readonly user: string; readonly password: string };

/** A server that is managed as RDS or Aurora would; see docs/managed-servers.md. */
export type ManagedPostgres = {
  readonly host: string;
  readonly port: number;
  readonly kind: ManagedProfile['kind'];
  readonly version: number;
  /** The login that a customer gets. */
  readonly master: Login;
  /** AWS's own login, a superuser: for the machinery around the server and for looking behind it, not for what is tested. */
  readonly rdsadmin: Login;
  readonly data: string;
  /** The server's log, in the format of its `log_line_prefix`. */
  readonly log: string;
  /** Resolves with the server's last words when it ends without having been stopped. */
  readonly lost: Promise<string>;
  /** Values of the parameter group: what is dynamic takes effect at once, the rest with {@link restart}. */
  setParameters(parameters: Readonly<Record<string, string>>): Promise<void>;
  /** Whether it was started with the parameters that it has now. */
  isStartedWithAll(): boolean;
  /** Which member of which cluster it is; of Aurora alone. */
  setPlace(place: ClusterPlace): Promise<void>;
  /** As RebootDBInstance does. */
  restart(): Promise<void>;
  /** The logical replication slots, and whether all that was written before now was consumed. */
  logicalSlots(): Promise<{ name: string; database: string; isConsumed: boolean }[]>;
  /** What rdsadmin does every five minutes: writes, and begins a new segment of the log. */
  beat(): Promise<void>;
  /** Lets the members of rds_replication replicate. It happens by itself each second. */
  settle(): Promise<void>;
  /** Copies its data for a reader; it is stopped meanwhile. */
  copyTo(folder: string): Promise<void>;
  stop(): Promise<void>;
};

/** Starts a managed server on data of `makeManagedData`. */
export async function startManagedPostgres({
  programs,
  data,
  place,
  profile,
  passwords,
  port: wanted = 0,
  settings = {},
  heartbeatMs,
  forcesTls = false,
  writer,
  signal,
}: {
  programs: string;
  data: string;
  place: Place;
  profile: ManagedProfile;
  passwords: Passwords;
  /** 0 takes a free one. */
  port?: number;
  /** Of the machine, not of the parameter group. */
  settings?: Readonly<Record<string, string>>;
  /** Between heartbeats; null: none but those of {@link ManagedPostgres.beat}. */
  heartbeatMs: number | null;
  /** Of a reader, whose data are a copy of the writer's: what it streams from. */
  writer?: { port: number };
  /** Whether TLS can be asked for, as `settings` name a certificate. */
  forcesTls?: boolean;
  signal?: AbortSignal | undefined;
}): Promise<ManagedPostgres> {
  const { kind, version, masterUser } = profile;
  const port = wanted || (await freePort());
  const log = join(place.path, 'server.log');
  const logins = {
    master: { user: masterUser, password: passwords.master },
    rdsadmin: { user: rdsadmin, password: passwords.rdsadmin },
  };
  const flags = Object.entries({
    port: String(port),
    listen_addresses: '127.0.0.1',
    unix_socket_directories: '',
    ...settings,
  }).map(([name, value]) => `--${name}=${value}`);
  let parameters = profile.parameters;
  let applied = parameters;
  let members: ClusterPlace = { instance: 'shop-1', members: { 'shop-1': true } };
  const write = async (): Promise<void> => {
    const file = join(data, settingsFileName);
    await writeFile(file, settingsFile({ ...profile, parameters }, { applied, place: members }));
    if (writer) {
      const source = `host=127.0.0.1 port=${writer.port} user=${rdsadmin} password=${passwords.rdsadmin}`;
      await appendFile(file, `primary_conninfo = '${source}'\n`);
      await writeFile(join(data, 'standby.signal'), '');
    }
    if (place.owner) await chown(file, place.owner.uid, place.owner.gid);
    const wantsTls = forcesTls && /^(?:1|on|true)$/i.test(parameters['rds.force_ssl'] ?? '1');
    await writeFile(join(data, 'pg_hba.conf'), accessRules(wantsTls));
  };

  let server: ReturnType<typeof launch>;
  let guard: ReturnType<typeof guardServer>;
  let sessions: RdsadminSessions;
  let stopping = false;
  let tellLost: (words: string) => void = () => undefined;
  const lost = new Promise<string>((resolve) => {
    tellLost = resolve;
  });
  const lastLines = () => (existsSync(log) ? readFileSync(log, 'utf8').trim().split('\n').slice(-5).join('\n') : '');
  const start = async (): Promise<void> => {
    applied = parameters;
    await write();
    stopping = false;
    server = launch(join(programs, 'postgres'), ['-D', data, ...flags], place, log);
    guard = guardServer(server);
    const started = server;
    try {
      await untilReady(server, data, signal);
      sessions = await openRdsadmin(
        { host: '127.0.0.1', port, ...logins.rdsadmin },
        { heartbeatMs, isReader: writer !== undefined },
      );
    } catch (cause) {
      await end();
      signal?.throwIfAborted();
      throw new Error(`The managed PostgreSQL did not start from ${data}.\n${lastLines()}`, { cause });
    }
    started.once('exit', () => {
      if (!stopping) tellLost(lastLines());
    });
  };
  const end = async (): Promise<void> => {
    stopping = true;
    await sessions?.close();
    await endServer(server);
    guard.kill();
  };

  await stopFormer(join(programs, 'pg_ctl'), data, place);
  await start();
  return {
    host: '127.0.0.1',
    port,
    kind,
    version,
    ...logins,
    data,
    log,
    lost,
    async setParameters(changed) {
      parameters = changed;
      await write();
      await sessions.reload();
    },
    isStartedWithAll: () => JSON.stringify(applied) === JSON.stringify(parameters),
    async setPlace(changed) {
      members = changed;
      await write();
      await sessions.reload();
    },
    async restart() {
      await end();
      await start();
    },
    logicalSlots: () => sessions.logicalSlots(),
    async copyTo(folder) {
      await end();
      try {
        await finish(launch('cp', ['-R', data, folder], place, null), signal);
      } finally {
        await start();
      }
    },
    beat: () => sessions.beat(),
    settle: () => sessions.settle(),
    stop: end,
  };
}
