import { AwsError } from '../errors.ts';
import type { QueryOperation } from '../query-service.ts';
import { describe } from './describe.ts';
import { add, find, type ParameterGroup, type RdsStore } from './state.ts';

/** Groups of parameters of instances and of clusters. The default ones are AWS's: they are there, and cannot be modified. */
export function parameterGroupOperations({ value, save }: RdsStore): Record<string, QueryOperation> {
  const operations = (kind: string, groups: Record<string, ParameterGroup>): Record<string, QueryOperation> => ({
    [`Create${kind}`]: async (form) => {
      const name = form.get(`${kind}Name`);
      const family = form.get('DBParameterGroupFamily') ?? '';
      if (!name || !/^[a-z](?:-?[a-z0-9])*$/i.test(name))
        throw new AwsError('InvalidParameterValue', `The parameter ${kind}Name is not a valid identifier: ${name}`);
      add(kind, groups, name, { family, parameters: {} });
      await save();
      return describe(kind, { [`${kind}Name`]: name, DBParameterGroupFamily: family });
    },
    [`Modify${kind}`]: async (form) => {
      const name = form.get(`${kind}Name`) ?? '';
      if (name.startsWith('default.'))
        throw new AwsError('InvalidDBParameterGroupState', `The parameter group ${name} cannot be modified.`);
      const { parameters } = find(kind, groups, name);
      for (let at = 1; form.has(`Parameters.Parameter.${at}.ParameterName`); at++) {
        const part = (of: string) => form.get(`Parameters.Parameter.${at}.${of}`) ?? '';
        parameters[part('ParameterName')] = part('ParameterValue');
      }
      await save();
      return `<${kind}Name>${name}</${kind}Name>`;
    },
    [`Describe${kind.replace('Group', '')}s`]: (form) => {
      const { parameters } = find(kind, groups, form.get(`${kind}Name`));
      const list = Object.entries(parameters).map(([ParameterName, ParameterValue]) =>
        describe('Parameter', { ParameterName, ParameterValue }),
      );
      return `<Parameters>${list.join('')}</Parameters>`;
    },
  });
  return {
    ...operations('DBParameterGroup', value.parameterGroups),
    ...operations('DBClusterParameterGroup', value.clusterParameterGroups),
  };
}
