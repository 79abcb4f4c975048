import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { type Access, createAccess, type Permissions } from '../iam/access.ts';
import type { KnownPorts } from '../ports.ts';
import { type StateDisk, unwatchedDisk } from '../state-disk.ts';
import { localAccount } from './account.ts';
import { openCloudWatch } from './cloudwatch.ts';
import { openDynamoDb } from './dynamodb/dynamodb.ts';
import { createFaultList, type Fault, type ServiceName } from './faults.ts';
import { type Listening, listen } from './http.ts';
import { serveJson } from './json-service.ts';
import { type NewKey, openKms } from './kms.ts';
import { type LocalRds, openRds } from './rds/rds.ts';
import { startS3 } from './s3/start.ts';
import { type LocalScheduler, openScheduler, type Schedules } from './scheduler.ts';
import { openSecretsManager } from './secrets-manager.ts';
import { type Email, openSes } from './ses.ts';
import { removeUnfinished } from './state-file.ts';

export type LocalServices = {
  /** `http://127.0.0.1:<port>` by service. */
  endpoints: Record<ServiceName, string>;
  /** A page of the emails that were sent. */
  mailboxUrl: string;
  /** Newest first. */
  emails(): Email[];
  /** For the one who runs the schedules. */
  schedules: Schedules;
  /** Makes or replaces a schedule; gives its ARN. */
  putSchedule: LocalScheduler['putSchedule'];
  /** Makes a key with a wanted id, or finds the one there is; gives its ARN. */
  createKey(wanted?: NewKey): Promise<string>;
  /** Makes a secret, or gives an existing one a new value; gives its ARN. */
  putSecret(name: string, value: string): Promise<string>;
  /** Makes or replaces an instance of RDS. */
  putInstance: LocalRds['putInstance'];
  /** Makes or replaces a cluster of RDS. */
  putCluster: LocalRds['putCluster'];
  /** Puts a server behind an instance of RDS. */
  attachServer: LocalRds['attachServer'];
  /** Makes the next calls of a service fail as AWS would; set once the promise resolves. */
  faults: { set(fault: Fault): Promise<void>; clear(): Promise<void> };
  /** Refuses, from now on, what the policies of the functions' roles do not allow. */
  setPermissions(permissions: Permissions): Promise<void>;
  /** The same for what is served elsewhere. */
  access: Access;
  /** The environment variables that direct the AWS SDK to these endpoints. */
  environment(): Record<string, string>;
  close(): Promise<void>;
};

/**
 * Starts S3, DynamoDB, KMS, SES, CloudWatch, Secrets Manager, Scheduler and RDS on loopback ports.
 *
 * @param stateFolder where they keep their state, across restarts; made when it is not there
 * @param ports keeps the services' ports over restarts; by default they are free ones
 * @param disk told of writes that fail
 * @throws Error when the state is damaged or in use; what was started by then is stopped
 */
export async function startServices({
  stateFolder,
  ports = { open: (_name, open) => open(0) },
  disk = unwatchedDisk,
}: {
  stateFolder: string;
  ports?: KnownPorts;
  disk?: StateDisk;
}): Promise<LocalServices> {
  await mkdir(stateFolder, { recursive: true, mode: 0o700 });
  await removeUnfinished(stateFolder);
  const faults = createFaultList();
  const access = createAccess();
  const opened: { close(): Promise<void> }[] = [];
  async function keep<T extends { close(): Promise<void> }>(opening: Promise<T>): Promise<T> {
    const one = await opening;
    opened.push(one);
    return one;
  }
  /** Stops in reverse order, an endpoint before the state behind it, also where one of them fails. @throws the first failure */
  async function close(): Promise<void> {
    const failures: unknown[] = [];
    for (const one of opened.splice(0).reverse()) await one.close().catch((error: unknown) => failures.push(error));
    if (failures.length > 0) throw failures[0];
  }

  try {
    // First, as its lock on the folder keeps a second start away from the state of all.
    const dynamodb = await keep(openDynamoDb(stateFolder, disk, access));
    const s3 = await keep(ports.open('s3', (port) => startS3({ folder: join(stateFolder, 's3'), port, disk })));
    const kms = await keep(openKms(stateFolder, disk));
    const ses = await keep(openSes(stateFolder, disk));
    const cloudwatch = await keep(openCloudWatch(stateFolder, disk));
    const secrets = await keep(openSecretsManager(stateFolder, disk));
    const scheduler = await keep(openScheduler(stateFolder, disk));
    const rds = await keep(openRds(stateFolder, disk));

    const endpoints: Record<ServiceName, string> = {
      s3: s3.url,
      dynamodb: '',
      kms: '',
      ses: '',
      cloudwatch: '',
      secretsmanager: '',
      scheduler: '',
      rds: '',
    };
    const expose = async (name: ServiceName, listener: Parameters<typeof listen>[1]): Promise<void> => {
      const listening: Listening = await keep(
        ports.open(name === 'ses' ? 'mailbox' : name, (port) => listen(port, listener)),
      );
      endpoints[name] = listening.url;
    };
    for (const { service } of [dynamodb, kms, cloudwatch, secrets])
      await expose(service.name, serveJson(service, faults, access));
    await expose('ses', ses.listener(faults, access));
    await expose('scheduler', scheduler.listener(faults, access));
    await expose('rds', rds.listener(faults, access));

    return {
      endpoints,
      mailboxUrl: `${endpoints.ses}/`,
      emails: ses.emails,
      schedules: scheduler.schedules,
      putSchedule: scheduler.putSchedule,
      createKey: kms.createKey,
      putSecret: secrets.putSecret,
      putInstance: rds.putInstance,
      putCluster: rds.putCluster,
      attachServer: rds.attachServer,
      faults: {
        set: async (fault) => {
          if (fault.service === 's3') await s3.addFault(fault);
          else faults.add(fault);
        },
        clear: async () => {
          faults.clear();
          await s3.clearFaults();
        },
      },
      setPermissions: async (permissions) => {
        access.set(permissions);
        await s3.setPermissions(permissions);
      },
      access,
      environment: () => environmentOf(endpoints),
      close,
    };
  } catch (error) {
    await close();
    throw error;
  }
}

function environmentOf(endpoints: Record<ServiceName, string>): Record<string, string> {
  return {
    AWS_REGION: localAccount.region,
    AWS_DEFAULT_REGION: localAccount.region,
    // Those of an administrator; the endpoints check no signatures, the SDK only wants something to sign with.
    AWS_ACCESS_KEY_ID: 'local',
    AWS_SECRET_ACCESS_KEY: 'local',
    AWS_ENDPOINT_URL_S3: endpoints.s3,
    AWS_ENDPOINT_URL_DYNAMODB: endpoints.dynamodb,
    AWS_ENDPOINT_URL_KMS: endpoints.kms,
    AWS_ENDPOINT_URL_SES: endpoints.ses,
    AWS_ENDPOINT_URL_CLOUDWATCH: endpoints.cloudwatch,
    AWS_ENDPOINT_URL_SECRETS_MANAGER: endpoints.secretsmanager,
    AWS_ENDPOINT_URL_SCHEDULER: endpoints.scheduler,
    AWS_ENDPOINT_URL_RDS: endpoints.rds,
  };
}
