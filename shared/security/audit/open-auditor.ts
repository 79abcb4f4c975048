import { dynamodbClient } from '../../aws/clients.ts';
import { readEnvironment } from '../../configuration/environment.ts';
import { openTable } from '../../state/table.ts';
import { readSecuritySettings } from '../settings/read-settings.ts';
import { type AuditDependencies, type Auditor, createAuditor } from './auditor.ts';

/**
 * The auditor of a function, with the tables that its environment names.
 *
 * @throws Error naming the variables that are missing
 */
export function openAuditor(more: Pick<AuditDependencies, 'judge' | 'onLost' | 'patienceMs'> = {}): Auditor {
  const { auditTable, stateTable } = readEnvironment(['auditTable', 'stateTable']);
  const state = openTable(dynamodbClient(), stateTable);
  return createAuditor({
    table: openTable(dynamodbClient(), auditTable),
    settings: () => readSecuritySettings(state),
    ...more,
  });
}
