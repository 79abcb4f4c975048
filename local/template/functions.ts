import { createHash } from 'node:crypto';
import { basename } from 'node:path';
import * as z from 'zod';
import type { Assembly } from './assembly.ts';
import type { Resource } from './intrinsics.ts';

const functionSchema = z.object({
  Handler: z.string().default('index.handler'),
  Runtime: z.string().default(''),
  Timeout: z.number().default(3),
  MemorySize: z.number().default(128),
  Environment: z.object({ Variables: z.record(z.string(), z.coerce.string()).default({}) }).prefault({}),
  Layers: z.array(z.string()).default([]),
  Code: z.object({ S3Key: z.string().optional() }).prefault({}),
  DurableConfig: z.object({ ExecutionTimeout: z.number(), RetentionPeriodInDays: z.number().default(14) }).optional(),
  ReservedConcurrentExecutions: z.number().optional(),
  DeadLetterConfig: z.object({ TargetArn: z.string() }).optional(),
});

const layerSchema = z.object({ Content: z.object({ S3Key: z.string() }) });
const versionSchema = z.object({ FunctionName: z.string() });
const aliasSchema = z.object({ FunctionName: z.string(), FunctionVersion: z.string(), Name: z.string() });
const invokeConfigSchema = z.object({
  FunctionName: z.string(),
  Qualifier: z.string(),
  MaximumRetryAttempts: z.number().optional(),
  MaximumEventAgeInSeconds: z.number().optional(),
  DestinationConfig: z.object({ OnFailure: z.object({ Destination: z.string() }).optional() }).optional(),
});

/** How asynchronous invocations of one qualifier are retried, and where they go when that did not help. */
export type AsyncConfig = {
  readonly maximumRetries: number;
  readonly maximumAgeSeconds: number;
  readonly onFailure?: string;
};

/** What a version of a function keeps from the time it was published; `$LATEST` has it of the template. */
export type FunctionVersion = {
  readonly name: string;
  /** Unqualified. */
  readonly arn: string;
  readonly handler: string;
  /** Folder of the bundled code; null when the template holds none that runs locally. */
  readonly codePath: string | null;
  readonly environment: Readonly<Record<string, string>>;
  readonly timeoutSeconds: number;
  readonly memoryMegabytes: number;
  /** Folders of the layers, in the order they are laid over each other. */
  readonly layers: readonly string[];
  readonly durable: { readonly executionTimeoutSeconds: number; readonly retentionDays: number } | null;
  readonly deadLetterArn: string | null;
  /** The same for two versions when Lambda would publish no second one. */
  readonly fingerprint: string;
  /** Milliseconds since the epoch; 0: not published. */
  readonly publishedAt: number;
};

/** A deployed Lambda function, as its local runner needs it. */
export type FunctionDefinition = FunctionVersion & {
  /** null: as much as the machine gives. */
  readonly reservedConcurrency: number | null;
  /** Version that each qualifier stands for. */
  readonly qualifiers: ReadonlyMap<string, string>;
  readonly asyncConfigs: ReadonlyMap<string, AsyncConfig>;
  /** By number: those of the template, and what earlier deployments retained. */
  readonly versions: ReadonlyMap<string, FunctionVersion>;
};

/** Collects the Lambda functions of the app with their layers, versions, aliases and asynchronous settings. */
export function readFunctions(resources: readonly Resource[], assembly: Assembly): FunctionDefinition[] {
  const ofType = (type: string) => resources.filter((resource) => resource.type === type);
  const layers = new Map(
    ofType('AWS::Lambda::LayerVersion').map(({ ref, properties }) => [
      ref,
      assembly.assets.get(layerSchema.parse(properties).Content.S3Key),
    ]),
  );
  const named = <Parsed extends { FunctionName: string }>(all: readonly Parsed[], { name, arn }: Resource) =>
    all.filter(
      ({ FunctionName }) => FunctionName === name || FunctionName === arn || FunctionName.startsWith(`${arn}:`),
    );
  const numbers = ofType('AWS::Lambda::Version').map(({ name, properties }) => ({
    ...versionSchema.parse(properties),
    number: name,
  }));
  const aliases = ofType('AWS::Lambda::Alias').map(({ properties }) => aliasSchema.parse(properties));
  const invokeConfigs = ofType('AWS::Lambda::EventInvokeConfig').map(({ properties }) =>
    invokeConfigSchema.parse(properties),
  );

  return ofType('AWS::Lambda::Function').map((resource) => {
    const parsed = functionSchema.parse(resource.properties);
    const code = parsed.Code.S3Key === undefined ? undefined : assembly.assets.get(parsed.Code.S3Key);
    const layerPaths = parsed.Layers.map((layer) => layers.get(layer)).filter((path) => path !== undefined);
    const own: FunctionVersion = {
      name: resource.name,
      arn: resource.arn,
      handler: parsed.Handler,
      codePath: code !== undefined && parsed.Runtime.startsWith('nodejs') ? code : null,
      environment: parsed.Environment.Variables,
      timeoutSeconds: parsed.Timeout,
      memoryMegabytes: parsed.MemorySize,
      layers: layerPaths,
      durable: parsed.DurableConfig
        ? {
            executionTimeoutSeconds: parsed.DurableConfig.ExecutionTimeout,
            retentionDays: parsed.DurableConfig.RetentionPeriodInDays,
          }
        : null,
      deadLetterArn: parsed.DeadLetterConfig?.TargetArn ?? null,
      fingerprint: fingerprintOf(resource, layerPaths),
      publishedAt: 0,
    };
    const versions = new Map(named(numbers, resource).map(({ number }) => [number, own]));
    const qualifiers = new Map([
      ['$LATEST', '$LATEST'],
      ...[...versions.keys()].map((number) => [number, number] as const),
    ]);
    for (const { Name, FunctionVersion } of named(aliases, resource)) qualifiers.set(Name, FunctionVersion);
    return {
      ...own,
      reservedConcurrency: parsed.ReservedConcurrentExecutions ?? null,
      qualifiers,
      asyncConfigs: new Map(named(invokeConfigs, resource).map((config) => [config.Qualifier, asyncConfig(config)])),
      versions,
    };
  });
}

/** Of all that a version keeps. Layers count with their content, which is in the name of its folder. */
function fingerprintOf({ properties }: Resource, layers: readonly string[]): string {
  const { Tags: _tags, ReservedConcurrentExecutions: _concurrency, ...kept } = properties;
  return createHash('sha256')
    .update(JSON.stringify([kept, layers.map((path) => basename(path))]))
    .digest('hex');
}

function asyncConfig(config: z.output<typeof invokeConfigSchema>): AsyncConfig {
  const onFailure = config.DestinationConfig?.OnFailure?.Destination;
  return {
    maximumRetries: config.MaximumRetryAttempts ?? 2,
    maximumAgeSeconds: config.MaximumEventAgeInSeconds ?? 21_600,
    ...(onFailure === undefined ? {} : { onFailure }),
  };
}
