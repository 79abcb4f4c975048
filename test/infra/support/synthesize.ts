import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { DeploymentInput } from '../../../infra/config/schema.ts';
import { type Assembly, readAssembly } from '../../../local/template/assembly.ts';
import { type Resource, resolveResources } from '../../../local/template/intrinsics.ts';
import { type LocalApp, readApp } from '../../../local/template/read.ts';
import { askFor } from '../../support/made-once/ask.ts';

export interface RawResource {
  readonly Type: string;
  readonly Properties?: Readonly<Record<string, unknown>>;
  readonly DependsOn?: readonly string[];
  readonly DeletionPolicy?: string;
}

/** A synthesized deployment, with every reference resolved as it would be once deployed. */
export interface Synthesized {
  /** The cloud assembly, outside the repository: no `node_modules` can be found from there. */
  readonly folder: string;
  readonly assembly: Assembly;
  readonly app: LocalApp;
  /** All resources of a type such as `AWS::S3::Bucket`. */
  ofType(type: string): Resource[];
  /** The same as the templates have them: with `DependsOn` and the like, references not resolved. */
  written(type: string): RawResource[];
  /** The one resource of that type whose logical id begins so. */
  one(type: string, logicalId?: string): Resource;
}

/**
 * Synthesizes a configuration, once for all files that ask for it: what is in the folder is only read.
 *
 * @throws Error when it cannot be deployed, or breaks a rule of cdk-nag
 */
export async function synthesize(input: DeploymentInput): Promise<Synthesized> {
  const folder = await askFor<string>('assemblies', JSON.stringify(input)).catch((error: Error) => {
    throw typeof error.cause === 'string' ? new Error(error.cause) : error;
  });
  const assembly = readAssembly(folder);
  const resources = resolveResources(assembly);
  const ofType = (type: string) => resources.filter((resource) => resource.type === type);
  const raw = assembly.stacks.flatMap(({ name }) => {
    const template = JSON.parse(readFileSync(join(folder, `${name}.template.json`), 'utf8'));
    return Object.values(template.Resources) as RawResource[];
  });
  return {
    folder,
    assembly,
    app: readApp(folder),
    ofType,
    written: (type) => raw.filter(({ Type }) => Type === type),
    one: (type, logicalId = '') => {
      const [found, ...more] = ofType(type).filter((resource) => resource.logicalId.startsWith(logicalId));
      if (!found || more.length > 0) throw new Error(`There is not one ${type} ${logicalId}, but ${more.length + 1}`);
      return found;
    },
  };
}
