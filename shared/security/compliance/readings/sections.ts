import type { ServerDescription } from '../../../platforms/managed/describe.ts';
import type { DescribedParameters } from '../../../platforms/managed/describe-parameters.ts';
import type { Sightings } from '../../access/sightings.ts';
import type { AccessReading } from './access.ts';
import type { BucketReading, KeyReading, SecretReading } from './aws.ts';
import type { BackupsReading } from './backups.ts';
import type { SqlSections } from './sql-sections.ts';

/** Everything that rules judge, by section. Each is read once. */
export interface Sections extends SqlSections {
  bucket: BucketReading;
  key: KeyReading;
  secret: SecretReading;
  /** null: AWS does not keep the server. */
  instance: ServerDescription | null;
  /** What its parameter groups take; null: it has none. */
  parameters: DescribedParameters | null;
  backups: BackupsReading;
  access: AccessReading;
  sightings: Pick<Sightings, 'since' | 'last_seen' | 'known_since'> & { roles: SqlSections['roles'] };
  audit: AuditReading;
}

/** What a walk over the audit's chain has shown. */
export interface AuditReading {
  intact: boolean;
  /** Whether it was sealed when that was due; absent where nobody has looked. */
  isSealed?: boolean;
  /** What was looked at, or the first record that is wrong. */
  found: string;
}

/** A section, or why it could not be read. */
export type Reading<Value> = { value: Value } | { why: string };
export type Readings = { [Name in keyof Sections]: Reading<Sections[Name]> };
