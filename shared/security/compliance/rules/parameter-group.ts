import { quoteShell } from '../quote-shell.ts';
import { aws, type Context, type Mend } from '../rule.ts';

type Place = Pick<Context['database'], 'kind' | 'host' | 'instance_id'>;

/** The text that a describing command finds, as one word of the command around it. */
const found = (command: string, query: string): string =>
  `"$(aws rds ${command} --query ${quoteShell(query)} --output text)"`;

/**
 * Sets a parameter where RDS and Aurora keep it. The settings of an Aurora cluster are in the group of the cluster: that of an instance
 * has few of them.
 *
 * Names and syntax: AWS CLI Command Reference, `rds modify-db-parameter-group`, `rds modify-db-cluster-parameter-group`.
 */
export function setParameter(name: string, value: string, needsRestart: boolean, place: Place): Mend[] {
  const parameter = JSON.stringify([
    { ParameterName: name, ParameterValue: value, ApplyMethod: needsRestart ? 'pending-reboot' : 'immediate' },
  ]);
  const { modify, instance } = place.kind === 'aurora' ? ofCluster(place) : ofInstance(place);
  return aws(
    `aws rds ${modify} --parameters ${quoteShell(parameter)}`,
    ...(needsRestart ? [`aws rds reboot-db-instance --db-instance-identifier ${instance}`] : []),
  );
}

/** The first label of an endpoint is the identifier of what it leads to. */
const firstLabel = (host: string): string => host.split('.')[0] ?? host;

function ofInstance({ host, instance_id }: Place) {
  const instance = quoteShell(instance_id ?? firstLabel(host));
  const group = found(
    `describe-db-instances --db-instance-identifier ${instance}`,
    'DBInstances[0].DBParameterGroups[0].DBParameterGroupName',
  );
  return { modify: `modify-db-parameter-group --db-parameter-group-name ${group}`, instance };
}

function ofCluster({ host, instance_id }: Place) {
  const isCluster = /^[^.]+\.cluster-/.test(host);
  const cluster = isCluster
    ? quoteShell(firstLabel(host))
    : found(
        `describe-db-instances --db-instance-identifier ${quoteShell(instance_id ?? firstLabel(host))}`,
        'DBInstances[0].DBClusterIdentifier',
      );
  const describe = `describe-db-clusters --db-cluster-identifier ${cluster}`;
  const group = found(describe, 'DBClusters[0].DBClusterParameterGroup');
  return {
    modify: `modify-db-cluster-parameter-group --db-cluster-parameter-group-name ${group}`,
    instance: found(describe, 'DBClusters[0].DBClusterMembers[?IsClusterWriter].DBInstanceIdentifier'),
  };
}
