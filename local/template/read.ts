import { type RestApi, readRestApi } from './api.ts';
import { type Assembly, readAssembly } from './assembly.ts';
import { type FunctionDefinition, readFunctions } from './functions.ts';
import { type Resource, resolveResources } from './intrinsics.ts';
import { type Queue, readQueues } from './queues.ts';
import { type Rule, readRules } from './rules.ts';

/** The synthesized app as it runs locally. */
export type LocalApp = {
  readonly resources: readonly Resource[];
  readonly functions: readonly FunctionDefinition[];
  readonly rules: readonly Rule[];
  readonly queues: readonly Queue[];
  readonly api: RestApi | null;
  /** Names of the stacks. */
  readonly stacks: readonly string[];
};

/** Reads a synthesized app. @param folder the cloud assembly, `cdk.out`. */
export const readApp = (folder: string): LocalApp => appOf(readAssembly(folder));

/** @param names see {@link resolveResources}. */
export function appOf(assembly: Assembly, names?: ReadonlyMap<string, string>): LocalApp {
  const resources = resolveResources(assembly, names);
  return {
    resources,
    functions: readFunctions(resources, assembly),
    rules: readRules(resources),
    queues: readQueues(resources),
    api: readRestApi(resources),
    stacks: assembly.stacks.map(({ name }) => name),
  };
}
