import { rdsNamesOf } from '../../aws/rds-names.ts';
import { quoteShell } from '../../quote-shell.ts';
import type { ChangeSteps, NamedDatabase, SettingChange, SettingsPlace, Step } from '../platform.ts';
import type { DescribedInstance, ServerDescription } from './describe.ts';
import type { DescribedParameter } from './describe-parameters.ts';
import { groupValue, isAllowed } from './parameter-value.ts';

/** Where settings are kept, by what the commands for it are called. `id`, `group` and `instances` are words of a shell. */
interface Place {
  words: 'db-instance' | 'db-cluster';
  id: string;
  group: string;
  /** To restart; of a cluster, the writer first. */
  instances: readonly string[];
}

/** AWS's own groups are named so, followed by their family. */
const DEFAULT_GROUP = /^default\.(.+)$/;

/** What is to be said of where a setting is kept, behind what was found: AWS's own groups cannot be modified. Empty: nothing. */
export function groupNote(server: ServerDescription | null): string {
  const group = server?.parameterGroup ?? '';
  if (!DEFAULT_GROUP.test(group)) return '';
  return `; the parameter group ${group} is AWS's own and cannot be modified: another has to take its place, which needs a restart`;
}

/** A list without it is none of a whole group. */
const IN_EVERY_GROUP = 'max_connections';

/** Settings that the groups of AWS do not have, by what its lists for PostgreSQL 14 to 17 say; read where the API was not asked. */
const NOT_IN_GROUPS = new Set([
  'allow_system_table_mods',
  'ignore_checksum_failure',
  'ssl_prefer_server_ciphers',
  'zero_damaged_pages',
]);
/** "Amazon Aurora PostgreSQL parameters" in its guide has none of these: its storage does what they do elsewhere. */
const NOT_IN_CLUSTERS = new Set(['fsync', 'full_page_writes', 'log_checkpoints']);

/**
 * Changes a parameter where RDS and Aurora keep it. The settings of a cluster are in the group of the cluster: that of an instance has
 * few of them, and goes before the cluster's where somebody has set one there. In place of a default group, which nobody can modify, a
 * group of the same family is made and attached; from another group, also parameters that are dynamic otherwise come with a restart.
 *
 * Names and syntax: AWS CLI Command Reference, `aws rds`. When they apply: Amazon RDS User Guide and Amazon Aurora User Guide,
 * "Parameter groups" and "Associating a DB parameter group".
 *
 * @param isCluster - whether a server that was not described has clusters alone
 */
export function changeParameter(
  change: SettingChange,
  database: NamedDatabase,
  { server, parameters }: SettingsPlace,
  isCluster: boolean,
): ChangeSteps {
  const { name } = change;
  const place = server ? readPlace(server) : askedPlace(database, isCluster);
  const isOfCluster = place.words === 'db-cluster';
  const isSetInInstance = parameters?.instance?.get(name)?.isSet === true;
  const inCluster = isOfCluster && !isSetInInstance ? parameters?.cluster?.get(name) : undefined;
  const found = inCluster ?? parameters?.instance?.get(name);
  const value = groupValue(change);
  const isKnown = [parameters?.cluster, parameters?.instance].some((group) => group?.has(IN_EVERY_GROUP));
  const why = isKnown ? refusalOf(name, value, found) : absenceOf(name, isOfCluster);
  if (why !== null) return { is: 'impossible', why };
  const needsRestart = found?.isStatic ?? change.needsRestart;
  const owner = isOfCluster && !inCluster && found && server ? server.instances.map(ofMember) : [place];
  return { is: 'possible', steps: owner.flatMap((each) => stepsIn(each, { name, value, needsRestart })) };
}

function refusalOf(name: string, value: string, found: DescribedParameter | undefined): string | null {
  if (!found) return `AWS keeps ${name}: its parameter groups do not have it`;
  if (!found.isModifiable) return `AWS keeps ${name}: its parameter groups do not let anybody change it`;
  return isAllowed(value, found.allowed) ? null : `Parameter groups take for ${name} only ${found.allowed}`;
}

function absenceOf(name: string, isOfCluster: boolean): string | null {
  const isAbsent = NOT_IN_GROUPS.has(name) || (isOfCluster && NOT_IN_CLUSTERS.has(name));
  return isAbsent ? `AWS keeps ${name}: its parameter groups do not have it` : null;
}

/** A member of a cluster, whose own group has the setting. */
const ofMember = ({ id, parameterGroup }: DescribedInstance): Place => ({
  words: 'db-instance',
  id: quoteShell(id),
  group: quoteShell(parameterGroup ?? ''),
  instances: [quoteShell(id)],
});

function stepsIn(place: Place, { name, value, needsRestart }: { name: string; value: string; needsRestart: boolean }) {
  const parameter = quoteShell(
    JSON.stringify([
      {
        ParameterName: name,
        // Groups take switches as numbers.
        ParameterValue: { on: '1', off: '0' }[value] ?? value,
        ApplyMethod: needsRestart ? 'pending-reboot' : 'immediate',
      },
    ]),
  );
  const groups = place.words === 'db-cluster' ? 'db-cluster-parameter-group' : 'db-parameter-group';
  const modify = (group: string): string =>
    `aws rds modify-${groups} --${groups}-name ${group} --parameters ${parameter}`;
  const restart = place.instances.map((each) => `aws rds reboot-db-instance --db-instance-identifier ${each}`);
  const family = DEFAULT_GROUP.exec(place.group)?.[1];
  if (family === undefined) return aws(modify(place.group), ...(needsRestart ? restart : []));
  // Names of groups have no dots, which families of old versions have.
  const group = `${place.id}-${family.replaceAll('.', '-')}`;
  const { words, id } = place;
  return aws(
    `aws rds create-${groups} --${groups}-name ${group} --db-parameter-group-family ${family} --description ${quoteShell(`Settings of ${id}`)}`,
    modify(group),
    `aws rds modify-${words} --${words}-identifier ${id} --${groups}-name ${group} --apply-immediately`,
    `aws rds wait ${words}-available --${words}-identifier ${id}`,
    ...restart,
  );
}

const aws = (...statements: string[]): Step[] => statements.map((statement) => ({ by: 'aws', statement }));

function readPlace({ id, isCluster, instances, parameterGroup }: ServerDescription): Place {
  return {
    words: isCluster ? 'db-cluster' : 'db-instance',
    id,
    group: quoteShell(parameterGroup ?? ''),
    instances: instances.map((each) => quoteShell(each.id)),
  };
}

/** The text that a describing command finds, as one word of the command around it. */
const found = (command: string, query: string): string =>
  `"$(aws rds ${command} --query ${quoteShell(query)} --output text)"`;

/** What could not be read, as commands that ask for it. */
function askedPlace(database: NamedDatabase, isCluster: boolean): Place {
  const names = rdsNamesOf(database);
  const host = database.direct?.host ?? database.host;
  const instance = quoteShell(names.instance ?? host.split('.')[0] ?? host);
  const ofInstance = (query: string) => found(`describe-db-instances --db-instance-identifier ${instance}`, query);
  if (names.cluster === null && !isCluster) {
    const group = ofInstance('DBInstances[0].DBParameterGroups[0].DBParameterGroupName');
    return { words: 'db-instance', id: instance, group, instances: [instance] };
  }
  const id = names.cluster === null ? ofInstance('DBInstances[0].DBClusterIdentifier') : quoteShell(names.cluster);
  const describe = `describe-db-clusters --db-cluster-identifier ${id}`;
  return {
    words: 'db-cluster',
    id,
    group: found(describe, 'DBClusters[0].DBClusterParameterGroup'),
    instances: [found(describe, 'DBClusters[0].DBClusterMembers[?IsClusterWriter].DBInstanceIdentifier')],
  };
}
