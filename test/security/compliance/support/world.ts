import { execFile } from 'node:child_process';
import { appendFile, chmod, copyFile, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { KMSClient } from '@aws-sdk/client-kms';
import { RDSClient } from '@aws-sdk/client-rds';
import { CreateBucketCommand, PutObjectCommand, S3Client } from '@aws-sdk/client-s3';
import { SecretsManagerClient } from '@aws-sdk/client-secrets-manager';
import { PutCommand } from '@aws-sdk/lib-dynamodb';
import type pg from 'pg';
import { noteFailedCopies, watchCopies } from '../../../../shared/backup/copies/watch-copies.ts';
import { type RuntimeConfiguration, runtimeConfigurationSchema } from '../../../../shared/configuration/runtime.ts';
import type { ConnectionTarget } from '../../../../shared/postgres/connect.ts';
import { withConnection } from '../../../../shared/postgres/with-connection.ts';
import { effectiveSchedules, takesFullBackups } from '../../../../shared/schedules/effective.ts';
import { judge } from '../../../../shared/security/compliance/judge.ts';
import { readSections } from '../../../../shared/security/compliance/readings/read-sections.ts';
import type { Readings } from '../../../../shared/security/compliance/readings/sections.ts';
import { rules } from '../../../../shared/security/compliance/registry.ts';
import { reportCompliance } from '../../../../shared/security/compliance/report.ts';
import type { AnyRule, Judgement, Mend } from '../../../../shared/security/compliance/rule.ts';
import { configuredSettings } from '../../../../shared/security/settings/configured-settings.ts';
import { readStoredSettings, writeStoredSettings } from '../../../../shared/security/settings/settings-store.ts';
import { backupItem, runningBackup } from '../../../../shared/state/backups.ts';
import { newBackupId, newJobId } from '../../../../shared/state/ids.ts';
import { writeRecovery } from '../../../../shared/state/recovery.ts';
import { createScheduleStore } from '../../../../shared/state/schedules.ts';
import { eventually } from '../../../e2e/support/api.ts';
import { clientOptions } from '../../../local/aws/support.ts';
import { certificate } from '../../../postgres/support/localhost-certificate.ts';
import { type OwnServer, ownServer } from '../../../postgres/support/own-server.ts';
import { type StateService, startState } from '../../../state/support.ts';
import { plainSession } from '../../../support/plain-session.ts';
import { anyBinaries } from '../../../support/postgres-binaries.ts';
import { type AwsClients, runAws } from './aws-cli.ts';

const run = promisify(execFile);
const DATABASE = 'shop';
const stranger = { user: 'stranger', password: 'has a Long one 2' };

/** A server of its own with everything around it that rules look at, all of which a test may break. */
export class World {
  configuration: RuntimeConfiguration;
  audit = { intact: true, found: '7 records' };
  verifiesAudit = true;

  readonly server: OwnServer;
  readonly state: StateService;
  readonly clients: AwsClients;
  readonly keyArn: string;
  readonly libraries: string;

  private constructor(parts: Pick<World, 'server' | 'state' | 'clients' | 'keyArn' | 'libraries'>, secretArn: string) {
    this.server = parts.server;
    this.state = parts.state;
    this.clients = parts.clients;
    this.keyArn = parts.keyArn;
    this.libraries = parts.libraries;
    this.configuration = runtimeConfigurationSchema.parse({
      databases: [
        {
          id: DATABASE,
          kind: 'self-managed',
          host: 'localhost',
          name: DATABASE,
          login: { type: 'secret', secret_arn: secretArn },
          tls: { mode: 'disable', ca: certificate },
        },
      ],
    });
  }

  static async start(): Promise<World> {
    const binaries = await anyBinaries();
    const server = await ownServer(binaries, {
      ssl: null,
      fsync: null,
      listen_addresses: null,
      unix_socket_directories: null,
    });
    const state = await startState();
    const { endpoints } = state.services;
    const clients = {
      s3: new S3Client({ ...clientOptions(endpoints.s3), forcePathStyle: true }),
      kms: new KMSClient(clientOptions(endpoints.kms)),
      rds: new RDSClient(clientOptions(endpoints.rds)),
      secretsManager: new SecretsManagerClient(clientOptions(endpoints.secretsmanager)),
    };
    await clients.s3.send(new CreateBucketCommand({ Bucket: 'backups' }));
    await state.services.putInstance({ DBInstanceIdentifier: DATABASE });
    const keyArn = await state.services.createKey({ rotation: false });
    const secretArn = await state.services.putSecret('databases/shop', '{"username":"postgres","password":"x"}');
    // Stands for pgaudit, which npm does not bring: any library that can be preloaded.
    const libraries = await mkdtemp(join(tmpdir(), 'libraries-'));
    await chmod(libraries, 0o755);
    const library = await withConnection(server.target(), {}, async (client) => {
      const { rows } = await client.query(`SELECT setting FROM pg_config WHERE name = 'PKGLIBDIR'`);
      await client.query(`CREATE DATABASE ${DATABASE}`);
      return String(rows[0].setting);
    });
    await copyFile(join(library, 'tablefunc.so'), join(libraries, 'pgaudit.so'));
    const world = new World({ server, state, clients, keyArn, libraries }, secretArn);
    await world.writeHba(['host all all 127.0.0.1/32 scram-sha-256', 'host all all ::1/128 scram-sha-256']);
    await world.sql(
      `CREATE ROLE ${stranger.user} LOGIN PASSWORD '${stranger.password}' CONNECTION LIMIT 5 VALID UNTIL '${new Date(Date.now() + 30 * 86_400_000).toISOString()}'`,
    );
    await world.sql(`ALTER SYSTEM SET dynamic_library_path = '$libdir:${libraries}'`, 'SELECT pg_reload_conf()');
    return world;
  }

  get database() {
    const [database] = this.configuration.databases;
    if (!database) throw new Error('There is no database');
    return database;
  }

  target(): ConnectionTarget {
    return this.server.target({ host: 'localhost', database: DATABASE, tls: this.database.tls });
  }

  /** Runs statements, each by itself, as a superuser. */
  sql(...statements: string[]): Promise<void> {
    return this.asPlainClient(async (client) => {
      for (const statement of statements) await client.query(statement);
    });
  }

  private async asPlainClient(work: (client: pg.Client) => Promise<void>): Promise<void> {
    const client = await plainSession(this.target());
    await work(client).finally(() => client.end());
  }

  async restart(): Promise<void> {
    await this.server.stop();
    await this.server.start();
    // A server that writes its log itself does not say when it is ready.
    await eventually(
      () =>
        this.sql('SELECT 1').then(
          () => true,
          () => false,
        ),
      (isReady) => isReady,
    );
  }

  private async hbaFile(): Promise<string> {
    return withConnection(this.server.target(), {}, async (client) => {
      const { rows } = await client.query('SHOW hba_file');
      return String(rows[0].hba_file);
    });
  }

  async writeHba(lines: readonly string[]): Promise<void> {
    await writeFile(await this.hbaFile(), `${lines.join('\n')}\n`);
    await this.sql('SELECT pg_reload_conf()');
  }

  /** Puts a line before all others, takes it over, and says how it was. */
  async addHba(line: string): Promise<void> {
    const file = await this.hbaFile();
    const before = await readFile(file, 'utf8');
    await writeFile(file, `${line}\n`);
    await appendFile(file, before);
    await this.sql('SELECT pg_reload_conf()');
  }

  readings(now = Date.now(), target = this.target()) {
    return readSections(this.database, this.dependencies(target), now);
  }

  report(now: number, target = this.target()) {
    return reportCompliance(this.database, this.dependencies(target), now);
  }

  private dependencies(target: ConnectionTarget) {
    return {
      target,
      table: this.state.table,
      configuration: this.configuration,
      hasSchedule: async () => takesFullBackups(await this.schedules()),
      bucket: 'backups',
      keyArn: this.keyArn,
      clients: this.clients,
      ...(this.verifiesAudit ? { verifyAudit: async () => this.audit } : {}),
      signal: AbortSignal.timeout(60_000),
    };
  }

  /** As {@link judge}, with a login that has no rights of its own. */
  judgeAsStranger(id: string, now = Date.now()): Promise<Judgement> {
    return this.judge(id, now, { ...this.target(), credentials: async () => stranger });
  }

  async judge(id: string, now = Date.now(), target = this.target()): Promise<Judgement> {
    return this.judgeBy(await this.readings(now, target), id, now);
  }

  judgeBy(readings: Readings, id: string, now: number): Judgement {
    return judge(ruleOf(id), readings, { now, database: this.database });
  }

  /** Does what a rule says. */
  async mend(steps: readonly Mend[]): Promise<void> {
    for (const { by, statement } of steps) {
      if (by === 'sql') await this.sql(statement);
      else if (by === 'aws') {
        await runAws(statement, this.clients);
        // As the hourly look does.
        if (statement.includes('copy-object')) await watchCopies(DATABASE, this.copiesOf());
      } else if (by === 'configuration') await this.configure(JSON.parse(statement));
      else if (by === 'api') await this.callApi(statement);
      else if (statement.startsWith('pg_ctl restart ')) await this.restart();
      else await run('sh', ['-c', statement]);
    }
  }

  /** A part of a deployment's configuration, put into it; its secret then rotates as the deployment would make it. */
  private async configure({ databases = [], ...rest }: { databases?: Record<string, unknown>[] }): Promise<void> {
    for (const { rotate_password_days: days, ...change } of databases) {
      if (days !== undefined && this.database.login.type === 'secret') {
        await runAws(
          `aws secretsmanager rotate-secret --secret-id ${this.database.login.secret_arn} --rotation-lambda-arn arn:aws:lambda:us-east-1:000000000000:function:rotate`,
          this.clients,
        );
      }
      Object.assign(this.database, merged(this.database, change));
    }
    this.configuration = runtimeConfigurationSchema.parse(merged(this.configuration, rest));
  }

  /** The routes that rules name, by what they come to. */
  private async callApi(statement: string): Promise<void> {
    const [, method, path = '', body = 'null'] = /^(\w+) (\S+)(?: (.*))?$/.exec(statement) ?? [];
    const { table } = this.state;
    const input = JSON.parse(body);
    const call = `${method} ${path.split('?')[0]}`;
    if (call === 'PUT /security/settings') {
      const stored = await readStoredSettings(table);
      const settings = { ...(stored?.settings ?? configuredSettings(this.configuration)), ...input.settings };
      await writeStoredSettings(table, stored?.version ?? 0, settings, 'alice', new Date());
    } else if (call === 'POST /backups') await this.addBackup(0, null);
    else if (call === 'POST /backups/{id}/validate') await this.addBackup(0, new Date());
    else if (call === 'PUT /recovery') await this.setRecovery(false);
    else if (call === 'PUT /backups/schedules') await this.setSchedule(input.schedules.full.cron);
    else if (call === 'GET /security/audit/verify') this.audit = { intact: true, found: '7 records' };
    else throw new Error(`Nobody plays ${call}`);
  }

  async addBackup(ageDays: number, provenAt: Date | null): Promise<void> {
    const at = new Date(Date.now() - ageDays * 86_400_000).toISOString();
    const backup = {
      ...runningBackup({
        id: newBackupId(),
        database: DATABASE,
        backup_type: 'full',
        custom_name: null,
        job_id: newJobId(),
        requested_by: 'alice',
      }),
      status: 'available' as const,
      snapshot_at: at,
      proven_at: provenAt?.toISOString() ?? null,
    };
    await this.state.table.documents.send(
      new PutCommand({ TableName: this.state.table.name, Item: backupItem(backup) }),
    );
  }

  private async schedules() {
    return effectiveSchedules(this.configuration, await createScheduleStore(this.state.table).read(DATABASE));
  }

  async setSchedule(cron: string | null): Promise<void> {
    const store = createScheduleStore(this.state.table);
    const { version } = await store.read(DATABASE);
    const plan = cron === null ? null : { cron, time_zone: 'UTC', enabled: true };
    await store.change(DATABASE, version, {
      full: { plan, changed_by: 'alice', changed_at: new Date().toISOString() },
    });
  }

  private copiesOf() {
    return { table: this.state.table, bucket: { s3: this.clients.s3, bucket: 'backups' } };
  }

  /** An object that S3 says it could not copy. */
  async failCopy(key: string): Promise<void> {
    await this.clients.s3.send(new PutObjectCommand({ Bucket: 'backups', Key: key, Body: 'x' }));
    await watchCopies(DATABASE, this.copiesOf());
    await noteFailedCopies(this.state.table, [key]);
  }

  async setRecovery(closed: boolean): Promise<void> {
    await writeRecovery(this.state.table, {
      database: DATABASE,
      slot: 'dbms_shop',
      follows_definitions: true,
      turned_on_at: new Date().toISOString(),
      turned_on_by: 'alice',
      captured_at: null,
      covered: null,
      stored_at: null,
      definitions: null,
      catalog: null,
      proven: null,
      closed: closed ? { at: new Date().toISOString(), reason: 'test', code: null } : null,
      unauthenticated: null,
      obstacles: [],
      pausing: null,
      timeline: null,
      base_wanted: null,
      base_attempts: 0,
      base_tried_at: null,
      renewals: 0,
      renew_at: null,
    });
  }

  async end(): Promise<void> {
    for (const client of Object.values(this.clients)) client.destroy();
    await this.server.remove();
    await this.state.close();
    await rm(this.libraries, { recursive: true, force: true });
  }
}

/** @throws Error when there is no such rule */
export function ruleOf(id: string): AnyRule {
  const found = rules.find(({ rule }) => rule.id === id);
  if (!found) throw new Error(`There is no rule ${id}`);
  return found.rule;
}

/** Objects into each other, everything else replaced. */
function merged(under: unknown, over: unknown): unknown {
  const isObject = (value: unknown): value is Record<string, unknown> =>
    typeof value === 'object' && value !== null && !Array.isArray(value);
  if (!isObject(under) || !isObject(over)) return over;
  const all = { ...under };
  for (const [name, value] of Object.entries(over)) all[name] = merged(under[name], value);
  return all;
}
