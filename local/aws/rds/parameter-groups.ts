import { AwsError } from '../errors.ts';
import type { QueryOperation } from '../query-service.ts';
import { applyGroup, type Change, type Kind } from './apply.ts';
import { describe, page } from './describe.ts';
import { instanceParametersOf, isAllowed, type Parameter, parametersOf, readFamily } from './parameters/catalogue.ts';
import { add, type Described, find, type ParameterGroup, type RdsStore } from './state.ts';

/** Groups of parameters of instances and of clusters. The default ones are AWS's: they are there, and cannot be modified. */
export function parameterGroupOperations(store: RdsStore): Record<string, QueryOperation> {
  return {
    ...operations('DBParameterGroup', store.value.parameterGroups, store),
    ...operations('DBClusterParameterGroup', store.value.clusterParameterGroups, store),
  };
}

/** The parameters that a group of a family may have. Families of other engines have none that anything here knows. */
function catalogueOf(kind: Kind, family: string): ReadonlyMap<string, Parameter> | null {
  const known = readFamily(family);
  if (!known) return null;
  return kind === 'DBClusterParameterGroup' ? parametersOf(known) : instanceParametersOf(known);
}

function operations(
  kind: Kind,
  groups: Record<string, ParameterGroup>,
  store: RdsStore,
): Record<string, QueryOperation> {
  const nameIn = (form: URLSearchParams) => form.get(`${kind}Name`) ?? '';
  /** A group, AWS's own among them. */
  const groupOf = (name: string): ParameterGroup => {
    const [, family] = /^default\.(.+)$/.exec(name) ?? [];
    return family === undefined ? find(kind, groups, name) : { family, parameters: {} };
  };
  const modifiable = (name: string): ParameterGroup => {
    if (name.startsWith('default.'))
      throw new AwsError('InvalidParameterValue', 'Cannot modify a default parameter group.');
    return find(kind, groups, name);
  };
  const describeGroup = (name: string, { family }: ParameterGroup): string =>
    describe(kind, { [`${kind}Name`]: name, DBParameterGroupFamily: family, Description: family });
  const change = async (name: string, group: ParameterGroup, changes: readonly Change[]): Promise<string> => {
    const catalogue = catalogueOf(kind, group.family);
    for (const each of changes) check(each, catalogue);
    await applyGroup(store, kind, name, group, changes, catalogue);
    return `<${kind}Name>${name}</${kind}Name>`;
  };

  return {
    [`Create${kind}`]: async (form) => {
      const name = nameIn(form);
      const family = form.get('DBParameterGroupFamily') ?? '';
      if (!/^[a-z](?:-?[a-z0-9])*$/i.test(name))
        throw new AwsError('InvalidParameterValue', `The parameter ${kind}Name is not a valid identifier: ${name}`);
      const group = { family, parameters: {} };
      add(kind, groups, name, group);
      await store.save();
      return describeGroup(name, group);
    },
    [`Delete${kind}`]: async (form) => {
      const name = nameIn(form);
      modifiable(name);
      delete groups[name];
      await store.save();
      return '';
    },
    [`Describe${kind}s`]: (form) => {
      const named = form.get(`${kind}Name`);
      const all = named === null ? Object.entries(groups) : [[named, groupOf(named)] as const];
      return page(
        `${kind}s`,
        all.map(([name, group]) => describeGroup(name, group)),
        form,
      );
    },
    [`Modify${kind}`]: (form) => {
      const name = nameIn(form);
      return change(name, modifiable(name), changesIn(form));
    },
    [`Reset${kind}`]: (form) => {
      const name = nameIn(form);
      const group = modifiable(name);
      const all = form.get('ResetAllParameters') === 'true';
      const named = all
        ? Object.keys(group.parameters).map((each) => ({ name: each, method: 'pending-reboot' }))
        : changesIn(form);
      return change(
        name,
        group,
        named.map((each) => ({ ...each, value: null })),
      );
    },
    [`Describe${kind.replace('Group', '')}s`]: (form) => {
      const { family, parameters } = groupOf(nameIn(form));
      const catalogue = catalogueOf(kind, family) ?? new Map<string, Parameter>();
      const names = [...new Set([...catalogue.keys(), ...Object.keys(parameters)])].sort();
      const source = form.get('Source');
      const rows = names.map((name) => describeParameter(name, catalogue.get(name), parameters[name]));
      const wanted = rows.filter(({ Source }) => source === null || Source === source);
      return page(
        'Parameters',
        wanted.map((each) => describe('Parameter', each)),
        form,
      );
    },
  };
}

function changesIn(form: URLSearchParams): Change[] {
  const changes: Change[] = [];
  for (let at = 1; form.has(`Parameters.Parameter.${at}.ParameterName`); at++) {
    const part = (of: string) => form.get(`Parameters.Parameter.${at}.${of}`);
    changes.push({
      // AWS tells names apart by their letters alone.
      name: (part('ParameterName') ?? '').toLowerCase(),
      value: part('ParameterValue'),
      method: part('ApplyMethod') ?? 'pending-reboot',
    });
  }
  return changes;
}

/** @throws AwsError in AWS's words where it would not take the change */
function check({ name, value, method }: Change, catalogue: ReadonlyMap<string, Parameter> | null): void {
  if (!catalogue) return;
  const known = catalogue.get(name);
  if (!known) throw new AwsError('InvalidParameterValue', `Could not find parameter with name: ${name}`);
  if (!known.isModifiable) throw new AwsError('InvalidParameterValue', `The parameter ${name} cannot be modified.`);
  if (method === 'immediate' && known.isStatic)
    throw new AwsError('InvalidParameterCombination', 'cannot use immediate apply method for static parameter');
  if (value !== null && !isAllowed(known, value)) {
    throw new AwsError(
      'InvalidParameterValue',
      `Invalid parameter value: ${value} for: ${name} allowed values are: ${known.allowed}`,
    );
  }
}

function describeParameter(name: string, known: Parameter | undefined, given: string | undefined): Described {
  const value = given ?? known?.value ?? undefined;
  return {
    ParameterName: name,
    ...(value === undefined ? {} : { ParameterValue: value }),
    Source: given !== undefined ? 'user' : known?.value == null ? 'engine-default' : 'system',
    ...(known
      ? {
          Description: known.unit === '' ? name : `(${known.unit}) ${name}`,
          ApplyType: known.isStatic ? 'static' : 'dynamic',
          DataType: known.dataType,
          ...(known.allowed === '' ? {} : { AllowedValues: known.allowed }),
          IsModifiable: known.isModifiable,
        }
      : {}),
    ApplyMethod: 'pending-reboot',
  };
}
