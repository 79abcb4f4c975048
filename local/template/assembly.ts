import { readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import * as z from 'zod';

const manifestSchema = z.object({
  artifacts: z.record(
    z.string(),
    z.object({
      type: z.string(),
      environment: z.string().optional(),
      properties: z
        .object({ templateFile: z.string().optional(), file: z.string().optional(), stackName: z.string().optional() })
        .optional(),
    }),
  ),
});

const policy = z.enum(['Delete', 'Retain', 'RetainExceptOnCreate', 'Snapshot']).optional();

const templateSchema = z.object({
  Parameters: z.record(z.string(), z.object({ Default: z.unknown().optional() })).default({}),
  Conditions: z.record(z.string(), z.unknown()).default({}),
  Mappings: z.record(z.string(), z.record(z.string(), z.record(z.string(), z.unknown()))).default({}),
  Resources: z
    .record(
      z.string(),
      z.object({
        Type: z.string(),
        Properties: z.record(z.string(), z.unknown()).default({}),
        Condition: z.string().optional(),
        /** What becomes of it when it leaves the template, and when a change needs another in its place. */
        DeletionPolicy: policy,
        UpdateReplacePolicy: policy,
      }),
    )
    .default({}),
  Outputs: z
    .record(z.string(), z.object({ Value: z.unknown(), Export: z.object({ Name: z.unknown() }).optional() }))
    .default({}),
});

const assetsSchema = z.object({
  files: z
    .record(
      z.string(),
      z.object({
        source: z.object({ path: z.string().optional() }),
        destinations: z.record(z.string(), z.object({ objectKey: z.string() })),
      }),
    )
    .default({}),
});

export type Template = z.output<typeof templateSchema>;

export type Stack = {
  readonly name: string;
  readonly template: Template;
  /** Where the app says that it is deployed; null where the credentials decide. */
  readonly region: string | null;
};

/** A synthesized CDK app: its stacks, and the local path of every file asset by its object key. */
export type Assembly = {
  readonly folder: string;
  readonly stacks: readonly Stack[];
  readonly assets: ReadonlyMap<string, string>;
};

/**
 * Reads the cloud assembly that `cdk synth` left in a folder.
 *
 * @throws Error when the folder holds no assembly, or one of another form.
 */
export function readAssembly(folder: string): Assembly {
  const root = resolve(folder);
  const { artifacts } = manifestSchema.parse(readJson(join(root, 'manifest.json')));
  const stacks: Stack[] = [];
  const assets = new Map<string, string>();
  for (const [id, { type, properties, environment = '' }] of Object.entries(artifacts)) {
    if (type === 'aws:cloudformation:stack' && properties?.templateFile !== undefined) {
      const template = templateSchema.parse(readJson(join(root, properties.templateFile)));
      const region = /^aws:\/\/[^/]+\/([a-z0-9-]+)$/.exec(environment)?.[1] ?? null;
      stacks.push({ name: properties.stackName ?? id, template, region: region === 'unknown-region' ? null : region });
    }
    if (type === 'cdk:asset-manifest' && properties?.file !== undefined) {
      for (const { source, destinations } of Object.values(
        assetsSchema.parse(readJson(join(root, properties.file))).files,
      )) {
        if (source.path === undefined) continue;
        for (const { objectKey } of Object.values(destinations)) assets.set(objectKey, resolve(root, source.path));
      }
    }
  }
  return { folder: root, stacks, assets };
}

function readJson(path: string): unknown {
  try {
    return JSON.parse(readFileSync(path, 'utf8'));
  } catch (cause) {
    throw new Error(`No synthesized app: cannot read ${path}`, { cause });
  }
}
