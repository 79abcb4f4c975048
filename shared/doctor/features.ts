import type { Database } from '../configuration/runtime.ts';
import { type Feature, featureSchema } from '../contract/schemas/doctor.ts';

/** What of this system's own state says whether a feature is in use. */
export interface Use {
  database: Pick<Database, 'log_group'>;
  /** Whether point-in-time recovery is turned on. */
  recovers: boolean;
}

interface FeatureDefinition {
  readonly title: string;
  /** Where nothing uses it, its lack raises no alert. By default it is always in use. */
  readonly inUse?: (use: Use) => boolean;
}

const definitions: Readonly<Record<Feature, FeatureDefinition>> = {
  monitoring: { title: 'Monitoring' },
  sessions: { title: 'Lists of sessions, and ending them' },
  backup: { title: 'Backups' },
  restore: { title: 'Restores into a new database' },
  swap: { title: 'Restores in place of a database' },
  recovery: { title: 'Point-in-time recovery', inUse: ({ recovers }) => recovers },
  masking: { title: 'Masking and samples' },
  access: { title: 'Access and the rotation of passwords' },
  login_audit: {
    title: 'Audit trail of logins and statements',
    inUse: ({ database }) => database.log_group !== undefined,
  },
  compliance: { title: 'Compliance reports' },
};

export const features = featureSchema.options;
export const featureTitle = (feature: Feature): string => definitions[feature].title;
export const isInUse = (feature: Feature, use: Use): boolean => definitions[feature].inUse?.(use) ?? true;
