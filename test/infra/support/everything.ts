import example from '../../../infra/config/example.ts';
import type { DeploymentInput } from '../../../infra/config/schema.ts';

/** The example with all that brings a function of its own, locked and destroyed with its stacks. */
export const everything: DeploymentInput = {
  ...example,
  copies: { region: 'eu-west-1' },
  removal_policy: 'destroy',
  backups: { object_lock: { mode: 'compliance', days: 35 } },
  retention: { expiry: null },
};
