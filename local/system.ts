import { mkdirSync, rmSync, statfsSync } from 'node:fs';
import { join, resolve } from 'node:path';
import type { Tls } from '../shared/configuration/tls.ts';
import type { ClientCertificate } from '../shared/postgres/tls.ts';
import { runAlarms } from './alarms.ts';
import type { Listening } from './aws/http.ts';
import { type LocalServices, startServices } from './aws/services.ts';
import { createEventBus, deployedEvent } from './events/bus.ts';
import { createFunctionLogs } from './events/function-logs.ts';
import { openQueues } from './events/queues.ts';
import { openFront } from './gateway/front.ts';
import { createGateway } from './gateway/server.ts';
import { type LocalIssuer, startIssuer } from './identity/issuer.ts';
import { openLogFile } from './lambda/logs.ts';
import { serveLambda } from './lambda/server.ts';
import { createLambdaService, type LambdaService, statusChangeEvent } from './lambda/service.ts';
import { lockStateFolder } from './lock.ts';
import { describeToRds, instanceIdOf } from './managed/describe.ts';
import { makeLogin, startLocalManagedServer } from './managed/server.ts';
import { knownPorts } from './ports.ts';
import type { ManagedKind } from './postgres/managed/profile.ts';
import type { ManagedPostgres } from './postgres/managed/server.ts';
import { type LocalPostgres, startPostgres } from './postgres/server.ts';
import { provision } from './provision.ts';
import { createSampleDatabase, sampleDatabase } from './sample/sample.ts';
import { runSchedules } from './schedules.ts';
import { describeDiskTrouble, diskTrouble, StateNotWritten, watchDisk } from './state-disk.ts';
import { synthesize } from './synthesize.ts';
import { readAssembly } from './template/assembly.ts';
import { openAssetStore } from './template/asset-store.ts';
import type { FunctionDefinition } from './template/functions.ts';
import { readPermissions } from './template/permissions.ts';
import { openVersions } from './template/versions.ts';

const audience = 'database-management-system';
/** Concurrent executions that the configuration counts on where none are given: this machine has no quota. */
const LOCAL_QUOTA = 1000;
const roles = ['viewer', 'operator', 'admin', 'auditor'] as const;

/** A database for the system to manage. */
export type ManagedDatabase = {
  readonly id: string;
  readonly host: string;
  readonly port: number;
  readonly name: string;
  readonly user: string;
  /** Null: the server asks for none. */
  readonly password: string | null;
  /** By which it logs in, in place of the password or beside it. */
  readonly certificate?: ClientCertificate;
  readonly tls?: Tls;
  /** Size of its disk, where that is known. */
  readonly storage_gigabytes?: number;
  /** How often the password of the login is changed; by default never. */
  readonly rotate_password_days?: number;
  /** By default a server of one's own. */
  readonly kind?: ManagedKind;
  /** Of a managed one: the identifier of its instance. */
  readonly instance_id?: string;
};

export type SystemOptions = {
  /** Holds everything that outlives a restart. */
  readonly stateFolder: string;
  /** A synthesized app to run; by default the project's own is synthesized. */
  readonly cdkOut?: string;
  /** Synthesizes a deployment configuration in place of a process of its own. @returns the cloud assembly, which stays as it is */
  readonly synthesize?: (deployment: Record<string, unknown>) => Promise<string>;
  /** 0, the default, takes a free one. */
  readonly gatewayPort?: number;
  /** By default the sample shop in an embedded PostgreSQL 18, made on the first start. A function is called once the state folder is locked. */
  readonly databases?: readonly ManagedDatabase[] | (() => readonly ManagedDatabase[]);
  /** Makes the embedded server one that is managed as RDS or Aurora are, used with the login of the guide; see docs/managed-servers.md. */
  readonly managed?: ManagedKind | undefined;
  /** Further parts of the deployment configuration, such as `backups`. */
  readonly deployment?: Readonly<Record<string, unknown>>;
  /** Seconds in place of the template's timeouts, by function name or the beginning of it. */
  readonly timeouts?: Readonly<Record<string, number>>;
  readonly asyncRetryDelaysSeconds?: readonly number[];
  readonly durableRetryMilliseconds?: number;
  /** How much of its time a wait of a durable function takes; by default all of it. */
  readonly durableWaitShare?: number;
  /** The account's quota of concurrent executions of functions; by default as many as this machine bears. */
  readonly accountConcurrency?: number;
  /** Whether schedules run and alarms are evaluated; default true. */
  readonly schedules?: boolean;
  /** Told what is being done, and what went wrong in the background. */
  readonly note?: (text: string) => void;
  /** Ends a start that is under way. */
  readonly signal?: AbortSignal;
  /** Told, once, why the running system cannot go on: its state cannot be written, or PostgreSQL is gone. It is then to be stopped. */
  readonly failed?: (error: Error) => void;
};

type Tokens = Readonly<Record<(typeof roles)[number], string>>;

export type LocalSystem = {
  /** Such as `http://127.0.0.1:4000`; routes are below `/api/database`, with and without the stage before it. */
  readonly apiUrl: string;
  /** A ready token for each role. */
  readonly tokens: Tokens;
  /** New ones, valid for twelve hours from now. */
  readonly freshTokens: () => Promise<Tokens>;
  readonly services: LocalServices;
  readonly issuer: LocalIssuer;
  readonly lambda: LambdaService;
  /** The embedded server; null when the databases were given. */
  readonly postgres: LocalPostgres | null;
  /** The same server, where it is managed. */
  readonly managed: ManagedPostgres | null;
  /** Synthesizes the configuration with these parts in place of its own. @returns the cloud assembly @throws Error in words */
  readonly synthesizeChanged: (changed: Readonly<Record<string, unknown>>) => Promise<string>;
  /**
   * Deploys a cloud assembly while everything runs, as `npm run deploy` does after a change. What is at work ends with the version of
   * its function that it began with.
   *
   * @throws Error when it cannot be deployed; what was deployed before then stays
   */
  readonly redeploy: (assemblyFolder: string) => Promise<void>;
  /** Stops everything that was started; state stays. */
  readonly stop: () => Promise<void>;
};

/**
 * Starts the whole system on this machine from the synthesized app: stand-ins for AWS, an identity provider, PostgreSQL,
 * functions, schedules and the REST API.
 *
 * @throws Error in words when a part does not start; what had started is stopped again.
 */
export async function startSystem(options: SystemOptions): Promise<LocalSystem> {
  const stateFolder = resolve(options.stateFolder);
  const note = options.note ?? (() => {});
  const opened: (() => unknown)[] = [];
  const stop = async () => {
    for (const close of opened.splice(0).reverse()) {
      await Promise.resolve()
        .then(close)
        .catch((error: unknown) => {
          // The disk's failure has been told before.
          if (diskTrouble(error) === null) note(`Stopping: ${error instanceof Error ? error.message : String(error)}`);
        });
    }
  };
  const failing = new AbortController();
  const signal = AbortSignal.any([failing.signal, ...(options.signal ? [options.signal] : [])]);
  let freeze: () => void = () => {};
  const fail = (error: Error): void => {
    if (failing.signal.aborted) return;
    failing.abort(error);
    // Before anything else: what jobs would make of the failing calls must not become their end.
    freeze();
    options.failed?.(error);
  };
  /** Remembers how to end what has just been started, then goes on unless the start was ended meanwhile. */
  const keep = <Part>(part: Part, close: (part: Part) => unknown): Part => {
    opened.push(() => close(part));
    signal.throwIfAborted();
    return part;
  };

  try {
    keep(lockStateFolder(stateFolder), (unlock) => unlock());
    const front = keep(await openFront(options.gatewayPort ?? 0), (one) => one.close());
    const given = typeof options.databases === 'function' ? options.databases() : options.databases;
    rmSync(join(stateFolder, 'opt'), { recursive: true, force: true });
    const disk = keep(watchDisk(stateFolder, fail), (one) => one.close());
    const ports = knownPorts(stateFolder, note);
    const services = keep(await startServices({ stateFolder: join(stateFolder, 'aws'), ports, disk }), (all) =>
      all.close(),
    );
    const identity = join(stateFolder, 'identity');
    mkdirSync(identity, { recursive: true, mode: 0o700 });
    // Tokens name the issuer's port, and stay valid over restarts with it.
    const issuer = keep(
      await ports.open('issuer', (port) => startIssuer({ stateFolder: identity, audience, port, disk })),
      (one) => one.close(),
    );

    let postgres: LocalPostgres | null = null;
    let managed: ManagedPostgres | null = null;
    let sample: ManagedDatabase[] = [];
    const shop = { id: sampleDatabase, name: sampleDatabase };
    if (!given && options.managed) {
      const kind = options.managed;
      note(`Starting PostgreSQL as ${kind === 'rds' ? 'Amazon RDS' : 'Amazon Aurora'} runs it`);
      const server = keep(
        await ports.open('postgres', (port) => startLocalManagedServer({ stateFolder, kind, port, signal })),
        (one) => one.stop(),
      );
      managed = server.managed;
      postgres = server;
      if (await createSampleDatabase(server)) note('Made the sample database');
      await describeToRds(services, managed, sampleDatabase);
      const login = await makeLogin(server, sampleDatabase, stateFolder);
      sample = [
        {
          ...server,
          ...login,
          ...shop,
          kind,
          instance_id: instanceIdOf(managed, sampleDatabase),
          rotate_password_days: 30,
        },
      ];
    } else if (!given) {
      note('Starting PostgreSQL');
      postgres = keep(await ports.open('postgres', (port) => startPostgres({ stateFolder, port, signal })), (server) =>
        server.stop(),
      );
      if (await createSampleDatabase(postgres)) note('Made the sample database');
      sample = [{ ...postgres, ...shop, storage_gigabytes: diskGigabytes(stateFolder) }];
    }
    void postgres?.lost.then((lines) => fail(lostServer(stateFolder, lines)));
    signal.throwIfAborted();

    const databases = given ?? sample;
    const quota = options.accountConcurrency ?? LOCAL_QUOTA;
    const tokensPath = join(options.stateFolder, 'tokens');
    const deployment = await deploymentOf(databases, services, issuer, tokensPath, quota, options.deployment ?? {});
    const synthesizeApp = options.synthesize ?? ((changed) => synthesize({ stateFolder, deployment: changed, signal }));
    if (options.cdkOut === undefined) note('Synthesizing the app');
    const cdkOut = options.cdkOut ?? (await synthesizeApp(deployment));
    const versions = openVersions(join(stateFolder, 'lambda', 'versions.json'));
    const assets = openAssetStore(join(stateFolder, 'lambda', 'assets'));
    /** As CloudFormation deploys it: the assets first, then each resource. */
    const deploy = async (folder: string) => {
      const deployed = versions.deploy(assets.publish(readAssembly(folder)));
      if (!deployed.api) throw new Error('The synthesized app has no REST API');
      assets.keepOnly(assetsOf(deployed.functions));
      await provision(deployed.resources, services);
      await services.setPermissions(readPermissions(deployed.resources));
      return { ...deployed, api: deployed.api };
    };
    let app = await deploy(cdkOut);
    signal.throwIfAborted();

    let lambdaServer: Listening | null = null;
    const log = openLogFile(join(stateFolder, 'logs', 'system.log'));
    const background = (text: string) => {
      log(`${new Date().toISOString()} ${text}\n`);
      note(text);
    };
    const bus = createEventBus(
      () => app.rules,
      () => targets,
      background,
    );
    const logs = keep(
      createFunctionLogs({
        resources: app.resources,
        endpoint: services.endpoints.cloudwatch,
        submit: (functionName, payload) => lambda.submit({ functionName, payload }),
        note: background,
      }),
      (all) => all.close(),
    );
    const lambda = createLambdaService({
      stateFolder,
      functions: app.functions,
      awsEnvironment: () => ({ ...services.environment(), AWS_ENDPOINT_URL_LAMBDA: lambdaServer?.url ?? '' }),
      timeouts: options.timeouts ?? {},
      executionChanged: (execution) => bus.put(statusChangeEvent(execution)),
      note: background,
      logs,
      disk,
      versionDeleted: versions.remove,
      ...(options.accountConcurrency === undefined ? {} : { accountConcurrency: options.accountConcurrency }),
      ...(options.asyncRetryDelaysSeconds ? { asyncRetryDelaysSeconds: options.asyncRetryDelaysSeconds } : {}),
      ...(options.durableRetryMilliseconds === undefined
        ? {}
        : { durableRetryMilliseconds: options.durableRetryMilliseconds }),
      ...(options.durableWaitShare === undefined ? {} : { durableWaitShare: options.durableWaitShare }),
    });
    lambdaServer = keep(await serveLambda(lambda, { access: services.access }), (server) => server.close());
    // Stopped before the endpoints that functions call, or one that is at work would take their silence for a failure.
    keep(lambda, (service) => service.close());
    const queues = keep(openQueues(app.queues, lambda, background), (all) => all.close());
    const targets = { submit: lambda.submit, deadLetters: lambda.deadLetters, send: queues.send };
    freeze = () => lambda.durable.close();
    lambda.durable.recover();
    let endSchedules = () => {};
    const startSchedules = async (): Promise<void> => {
      if (options.schedules === false) return;
      endSchedules();
      const endRules = runSchedules({ schedules: services.schedules, rules: app.rules, targets, note: background });
      endSchedules = endRules;
      const endpoint = services.endpoints.cloudwatch;
      const endAlarms = await runAlarms({ resources: app.resources, endpoint, bus, note: background });
      endSchedules = () => {
        endAlarms();
        endRules();
      };
    };
    keep(null, () => endSchedules());
    await startSchedules();
    for (const stack of app.stacks) bus.put(deployedEvent(stack));
    const accessLog = openLogFile(join(stateFolder, 'logs', 'api.log'));
    const serve = () => front.serve(createGateway({ api: app.api, lambda, accessLog }));
    serve();
    opened.push(() => front.serve(null));
    const freshTokens = async () =>
      Object.fromEntries(
        await Promise.all(roles.map(async (role) => [role, await issuer.tokenFor(role)] as const)),
      ) as Tokens;
    const tokens = await freshTokens();
    const synthesizeChanged = (changed: Readonly<Record<string, unknown>>) =>
      synthesizeApp({ ...deployment, ...changed });
    const redeploy = async (assemblyFolder: string): Promise<void> => {
      app = await deploy(assemblyFolder);
      await lambda.deploy(app.functions);
      serve();
      await startSchedules();
      for (const stack of app.stacks) bus.put(deployedEvent(stack));
    };
    return {
      apiUrl: front.url,
      redeploy,
      synthesizeChanged,
      tokens,
      freshTokens,
      services,
      issuer,
      lambda,
      postgres,
      managed,
      stop,
    };
  } catch (error) {
    await stop();
    throw failing.signal.aborted ? failing.signal.reason : error;
  }
}

/** Why a server that nobody has stopped is gone, as far as its last lines tell. */
function lostServer(stateFolder: string, lines: string): Error {
  const trouble = diskTrouble(new Error(lines));
  return trouble === null
    ? new Error(`PostgreSQL ended without having been stopped. Its last lines:\n${lines}`)
    : new StateNotWritten(describeDiskTrouble(stateFolder, trouble));
}

/** The size of the disk on which a folder is. */
function diskGigabytes(folder: string): number {
  const { blocks, bsize } = statfsSync(folder);
  return Math.max(1, Math.round((blocks * bsize) / 1024 ** 3));
}

/** The login in the form of the configuration; what is secret of it goes into the local Secrets Manager. */
async function loginOf(
  { id, host, port, name, user, password, certificate }: ManagedDatabase,
  services: LocalServices,
): Promise<Record<string, unknown>> {
  if (password === null && !certificate) return { type: 'passwordless', user };
  const secret = {
    engine: 'postgres',
    host,
    port,
    dbname: name,
    username: user,
    ...(password === null ? {} : { password }),
    ...(certificate ? { client_certificate: certificate.certificate, client_key: certificate.key } : {}),
  };
  return { type: 'secret', secret_arn: await services.putSecret(`databases/${id}`, JSON.stringify(secret)) };
}

/** The deployment configuration of this machine: the databases with their logins in the local Secrets Manager. */
async function deploymentOf(
  databases: readonly ManagedDatabase[],
  services: LocalServices,
  issuer: LocalIssuer,
  tokensPath: string,
  quota: number,
  further: Readonly<Record<string, unknown>>,
): Promise<Record<string, unknown>> {
  const described = await Promise.all(
    databases.map(async (database) => {
      const { id, host, port, name, tls = { mode: 'disable' }, kind, instance_id } = database;
      const { storage_gigabytes, rotate_password_days } = database;
      const login = await loginOf(database, services);
      return {
        ...{ id, kind: kind ?? 'self-managed', host, port, name, login, tls },
        ...(storage_gigabytes === undefined ? {} : { storage_gigabytes }),
        ...(instance_id === undefined ? {} : { instance_id }),
        ...(rotate_password_days === undefined ? {} : { rotate_password_days }),
      };
    }),
  );
  return {
    databases: described,
    // Nothing leaves the machine: the mailbox shows what is sent.
    alert_emails: ['administrator@example.com'],
    identity: {
      issuer: issuer.issuer,
      audience,
      jwks_uri: issuer.jwksUri,
      roles_claim: 'cognito:groups',
      token_help: `Take in the new ones: . ${tokensPath}`,
    },
    // On this machine the managed server takes the drills as well.
    ...(described[0] ? { drills: { server: described[0].id } } : {}),
    concurrency: { quota },
    ...further,
  };
}

/** Everything of a deployment that a function may still be started from, old versions included. */
function assetsOf(functions: readonly FunctionDefinition[]): Set<string> {
  const versions = functions.flatMap((each) => [each, ...each.versions.values()]);
  return new Set(versions.flatMap(({ codePath, layers }) => [...(codePath === null ? [] : [codePath]), ...layers]));
}
