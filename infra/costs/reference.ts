import type { DeploymentInput } from '../config/schema.ts';

/**
 * The deployment that docs/costs.md is reckoned for: so many RDS databases, each with a secret of its own, and every setting at its
 * default.
 */
export function referenceDeployment(databases: number, region = 'eu-central-1'): DeploymentInput {
  return {
    prefix: 'dbms',
    region,
    account: '123456789012',
    alert_emails: ['dba@example.com'],
    databases: Array.from({ length: databases }, (_, index) => ({
      id: `db-${index + 1}`,
      kind: 'rds',
      host: `db-${index + 1}.cabcdefghijk.${region}.rds.amazonaws.com`,
      name: 'app',
      login: {
        type: 'secret',
        secret_arn: `arn:aws:secretsmanager:${region}:123456789012:secret:rds!db-${index + 1}-AbCdEf`,
      },
    })),
  };
}
