import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { checkDeployment } from '../../../infra/config/load.ts';
import type { DeploymentInput } from '../../../infra/config/schema.ts';
import { createApp } from '../../../infra/create-app.ts';
import { type Assembly, readAssembly } from '../../../local/template/assembly.ts';
import { type Resource, resolveResources } from '../../../local/template/intrinsics.ts';
import { type LocalApp, readApp } from '../../../local/template/read.ts';
import '../../support/function-bundles.ts';

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
  remove(): void;
}

/** Synthesizes a configuration into a temporary folder. @throws Error when it cannot be deployed */
export function synthesize(input: DeploymentInput): Synthesized {
  const root = mkdtempSync(join(tmpdir(), 'synthesized-'));
  const folder = join(root, 'cdk.out');
  try {
    createApp(checkDeployment(input, 'test'), { buildFolder: join(root, 'build'), outdir: folder }).synth();
  } catch (error) {
    rmSync(root, { recursive: true, force: true });
    throw error;
  }
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
    remove: () => rmSync(root, { recursive: true, force: true }),
  };
}
