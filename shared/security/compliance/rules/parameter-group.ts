import { rdsNamesOf } from '../../../aws/rds-names.ts';
import { quoteShell } from '../quote-shell.ts';
import { aws, type Context, type Mend } from '../rule.ts';

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
export function groupNote({ instance }: Pick<Context, 'instance'>): string {
  const group = instance?.parameterGroup ?? '';
  if (!DEFAULT_GROUP.test(group)) return '';
  return `; the parameter group ${group} is AWS's own and cannot be modified: another has to take its place, which needs a restart`;
}

/**
 * Sets a parameter where RDS and Aurora keep it. The settings of a cluster are in the group of the cluster: that of an instance has few
 * of them. In place of a default group, which nobody can modify, a group of the same family is made and attached; from another group,
 * also parameters that are dynamic otherwise come with a restart.
 *
 * Names and syntax: AWS CLI Command Reference, `aws rds`. When they apply: Amazon RDS User Guide and Amazon Aurora User Guide,
 * "Parameter groups" and "Associating a DB parameter group".
 */
export function setParameter(
  name: string,
  value: string,
  needsRestart: boolean,
  { database, instance }: Pick<Context, 'instance'> & { database: NamedPlace },
): Mend[] {
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
  const place = instance ? readPlace(instance) : askedPlace(database);
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

type NamedPlace = Pick<Context['database'], 'kind' | 'host' | 'direct' | 'instance_id'>;

function readPlace({ id, isCluster, instances, parameterGroup }: Exclude<Context['instance'], null>): Place {
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
function askedPlace({ kind, host: configured, direct, instance_id }: NamedPlace): Place {
  const names = rdsNamesOf({ host: configured, direct, instance_id });
  const host = direct?.host ?? configured;
  const instance = quoteShell(names.instance ?? host.split('.')[0] ?? host);
  const ofInstance = (query: string) => found(`describe-db-instances --db-instance-identifier ${instance}`, query);
  if (names.cluster === null && kind !== 'aurora') {
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
