import { existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import * as z from 'zod';
import type { Assembly } from './assembly.ts';
import type { FunctionDefinition, FunctionVersion } from './functions.ts';
import { type Resource, resolveResources, resourceKey } from './intrinsics.ts';
import { appOf, type LocalApp } from './read.ts';

const versionSchema: z.ZodType<FunctionVersion> = z.object({
  name: z.string(),
  arn: z.string(),
  handler: z.string(),
  codePath: z.string().nullable(),
  environment: z.record(z.string(), z.string()),
  timeoutSeconds: z.number(),
  memoryMegabytes: z.number(),
  layers: z.array(z.string()),
  durable: z.object({ executionTimeoutSeconds: z.number(), retentionDays: z.number() }).nullable(),
  deadLetterArn: z.string().nullable(),
  fingerprint: z.string(),
  publishedAt: z.number(),
});

const stateSchema = z.object({
  functions: z.record(z.string(), z.object({ last: z.number(), versions: z.record(z.string(), versionSchema) })),
  /** The resources of the last deployed template that published a version, by their keys. */
  resources: z.record(
    z.string(),
    z.object({ functionName: z.string(), number: z.string(), properties: z.string(), staysWhenRemoved: z.boolean() }),
  ),
});
type State = z.output<typeof stateSchema>;

/** The versions of functions over several deployments, as CloudFormation and Lambda keep them. */
export type Versions = {
  /**
   * Deploys an assembly: publishes a version for each resource that is new or changed, and then deletes what left the template,
   * unless its policy retains it.
   *
   * @throws Error when a version would be published that is no different from the last one, as CloudFormation does
   */
  readonly deploy: (assembly: Assembly) => LocalApp;
  /** Somebody deleted a version. */
  readonly remove: (functionName: string, number: string) => void;
};

/** @param path of the file that keeps them. @throws Error when it is damaged. */
export function openVersions(path: string): Versions {
  const state: State = existsSync(path)
    ? stateSchema.parse(JSON.parse(readFileSync(path, 'utf8')))
    : { functions: {}, resources: {} };

  function save(): void {
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(`${path}.new`, JSON.stringify(state), { mode: 0o600 });
    renameSync(`${path}.new`, path);
  }

  function deploy(assembly: Assembly): LocalApp {
    const declared = resolveResources(assembly).filter(({ type }) => type === 'AWS::Lambda::Version');
    const numbers = new Map<string, string>();
    const published = new Set<string>();
    const leaving: { functionName: string; number: string }[] = [];
    for (const resource of declared) {
      const key = resourceKey(resource);
      const functionName = functionOf(resource);
      const known = state.resources[key];
      const isSame = known?.functionName === functionName && known.properties === JSON.stringify(resource.properties);
      if (known && isSame) numbers.set(key, known.number);
      else {
        if (known && !resource.staysWhenReplaced) leaving.push(known);
        numbers.set(key, String((state.functions[functionName]?.last ?? 0) + 1));
        published.add(key);
      }
    }
    const app = appOf(assembly, numbers);
    const functions = new Map(app.functions.map((each) => [each.name, each]));
    for (const resource of declared) {
      const key = resourceKey(resource);
      if (published.has(key)) publish(functions.get(functionOf(resource)), numbers.get(key) ?? '');
    }
    for (const [key, known] of Object.entries(state.resources)) {
      if (!numbers.has(key) && !known.staysWhenRemoved) leaving.push(known);
    }
    for (const { functionName, number } of leaving) delete state.functions[functionName]?.versions[number];
    for (const name of Object.keys(state.functions)) if (!functions.has(name)) delete state.functions[name];
    state.resources = Object.fromEntries(
      declared.map((resource) => {
        const key = resourceKey(resource);
        const { properties, staysWhenRemoved } = resource;
        const number = numbers.get(key) ?? '';
        return [
          key,
          { functionName: functionOf(resource), number, properties: JSON.stringify(properties), staysWhenRemoved },
        ];
      }),
    );
    save();
    return { ...app, functions: app.functions.map(withVersions) };
  }

  function publish(definition: FunctionDefinition | undefined, number: string): void {
    if (!definition) throw new Error('A version belongs to a function that the app does not define');
    const { qualifiers: _qualifiers, asyncConfigs: _configs, reservedConcurrency: _reserved, ...rest } = definition;
    const { versions: _versions, ...version } = rest;
    const kept = state.functions[definition.name] ?? { last: 0, versions: {} };
    if (kept.versions[kept.last]?.fingerprint === version.fingerprint) {
      throw new Error(
        `A version for the Lambda function ${definition.name} exists ( ${kept.last} ). Modify the function to create a new version.`,
      );
    }
    kept.versions[number] = { ...version, publishedAt: Date.now() };
    kept.last = Number(number);
    state.functions[definition.name] = kept;
  }

  function withVersions(definition: FunctionDefinition): FunctionDefinition {
    const versions = new Map(Object.entries(state.functions[definition.name]?.versions ?? {}));
    const numbers = [...versions.keys()].map((number) => [number, number] as const);
    return { ...definition, versions, qualifiers: new Map([...definition.qualifiers, ...numbers]) };
  }

  return {
    deploy,
    remove: (functionName, number) => {
      delete state.functions[functionName]?.versions[number];
      save();
    },
  };
}

/** The function of a version, which the template names by its name or its ARN. */
const functionOf = ({ properties }: Resource): string =>
  String(properties.FunctionName).split(':')[6] ?? String(properties.FunctionName);
