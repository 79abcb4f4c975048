import { quoteShell } from '../../quote-shell.ts';
import type { Step } from '../platform.ts';
import type { ServerDescription } from './describe.ts';
import type { DescribedParameters, ParametersOfGroup } from './describe-parameters.ts';
import { modifyServer } from './encrypt.ts';

type Words = 'db-parameter-group' | 'db-cluster-parameter-group';

/** AWS takes no more in one command. */
const MOST_AT_ONCE = 20;

const isCustom = (group: string | null): group is string => group !== null && !group.startsWith('default.');

/**
 * The steps of a major upgrade. AWS refuses one while a group of parameters is not its own, unless a group of the new family is named in its
 * place; so one is made, with the values that the old one sets. Those of instances take effect at a restart ("Parameter group
 * considerations" in the guides of both; `DBInstanceParameterGroupName` in the API's reference). A cluster that has a custom group for
 * its instances, too, needs another for those.
 *
 * @param parameters - null where AWS did not say: then new groups set nothing
 */
export function upgradeServer(
  server: ServerDescription,
  parameters: DescribedParameters | null,
  toMajor: number,
): Step[] {
  const { id, isCluster, engine, instances, parameterGroup } = server;
  const family = `${engine}${toMajor}`;
  const made: { option: string; name: string; steps: string[] }[] = [];
  const replace = (words: Words, option: string, name: string, values: ParametersOfGroup | null | undefined): void => {
    made.push({ option, name, steps: makeGroup(words, name, family, id, values ?? new Map()) });
  };
  const words: Words = isCluster ? 'db-cluster-parameter-group' : 'db-parameter-group';
  if (isCustom(parameterGroup))
    replace(words, words, `${id}-${family}`, isCluster ? parameters?.cluster : parameters?.instance);
  if (isCluster && instances.some((each) => isCustom(each.parameterGroup)))
    replace('db-parameter-group', 'db-instance-parameter-group', `${id}-instances-${family}`, parameters?.instance);
  const options = [
    `--engine-version ${toMajor} --allow-major-version-upgrade`,
    ...made.map(({ option, name }) => `--${option}-name ${quoteShell(name)}`),
  ].join(' ');
  const kind = isCluster ? 'db-cluster' : 'db-instance';
  return [
    ...made.flatMap(({ steps }) => steps),
    modifyServer(server, options),
    `aws rds wait ${kind}-available --${kind}-identifier ${quoteShell(id)}`,
    ...(made.length === 0
      ? []
      : instances.map((each) => `aws rds reboot-db-instance --db-instance-identifier ${quoteShell(each.id)}`)),
  ].map((statement) => ({ by: 'aws', statement }));
}

function makeGroup(words: Words, name: string, family: string, id: string, values: ParametersOfGroup): string[] {
  const group = `--${words}-name ${quoteShell(name)}`;
  const set = [...values].flatMap(([ParameterName, { isSet, value }]) =>
    isSet && value !== null ? [{ ParameterName, ParameterValue: value, ApplyMethod: 'pending-reboot' }] : [],
  );
  const parts = Array.from({ length: Math.ceil(set.length / MOST_AT_ONCE) }, (_, at) =>
    set.slice(at * MOST_AT_ONCE, (at + 1) * MOST_AT_ONCE),
  );
  return [
    `aws rds create-${words} ${group} --db-parameter-group-family ${family} --description ${quoteShell(`Settings of ${id}`)}`,
    ...parts.map((part) => `aws rds modify-${words} ${group} --parameters ${quoteShell(JSON.stringify(part))}`),
  ];
}
