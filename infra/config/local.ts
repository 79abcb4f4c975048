import type { DeploymentInput } from './schema.ts';

/**
 * A PostgreSQL server on this machine, plain text, nothing kept. `npm start` makes its own of this form, with the ports and
 * the secret that it found free; this one is for looking at the templates: `DEPLOYMENT=infra/config/local.ts npm run synth`.
 */
const local: DeploymentInput = {
  prefix: 'dbms',
  databases: [
    {
      id: 'shop',
      kind: 'self-managed',
      host: '127.0.0.1',
      name: 'shop',
      login: { type: 'secret', secret_arn: 'arn:aws:secretsmanager:us-east-1:000000000000:secret:databases/shop' },
      tls: { mode: 'disable' },
    },
  ],
  identity: { issuer: 'http://127.0.0.1:4001', audience: 'database-management-system' },
  retention: { log_days: 1 },
  removal_policy: 'destroy',
  deletion_protection: false,
};

export default local;
