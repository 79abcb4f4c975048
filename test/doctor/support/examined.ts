import { databaseSchema, runtimeConfigurationSchema } from '../../../shared/configuration/runtime.ts';
import type { DoctorReport } from '../../../shared/contract/schemas/doctor.ts';
import type { ExamineDependencies } from '../../../shared/doctor/examine.ts';
import type { PlatformKind } from '../../../shared/platforms/platform.ts';
import type { ConnectionTarget } from '../../../shared/postgres/connect.ts';

/** A configured database that is on a server of a test. */
export function configuredDatabase(kind: PlatformKind, name: string) {
  return databaseSchema.parse({
    id: 'shop',
    kind,
    host: '127.0.0.1',
    name,
    login: { type: 'secret', secret_arn: 'arn:aws:secretsmanager:eu-west-1:111122223333:secret:shop' },
    log_group: '/aws/rds/instance/shop/postgresql',
  });
}

/** What the doctor reads with: a whole configuration, and nobody who asks AWS. */
export function dependenciesFor(target: ConnectionTarget): ExamineDependencies {
  const configuration = runtimeConfigurationSchema.parse({ databases: [configuredDatabase('rds', 'shop')] });
  return { target, configuration, rds: null, recovers: true, signal: AbortSignal.timeout(60_000) };
}

/** Checks that have found something that stops or limits a feature. */
export const complaints = ({ findings }: DoctorReport): string[] =>
  findings.filter(({ stops, limits }) => stops.length + limits.length > 0).map(({ check }) => check);
