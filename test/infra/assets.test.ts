import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { isBuiltin } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { runInNewContext } from 'node:vm';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import example from '../../infra/config/example.ts';
import { realizeLayers, relocateOpt } from '../../local/lambda/layers.ts';
import type { FunctionDefinition } from '../../local/template/functions.ts';
import { runtimeConfigurationSchema } from '../../shared/configuration/runtime.ts';
import { WASM_WORKER_SOURCE } from '../../shared/postgres/pg-dump/wasm-worker.ts';
import { everything } from './support/everything.ts';
import { plain } from './support/plain.ts';
import { type Synthesized, synthesize } from './support/synthesize.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));
const support = (name: string) => join(root, 'test/infra/support', name);

let synthesized: Synthesized;
/** With every function. */
let all: Synthesized;
/** Outside the repository, where no `node_modules` can be found. */
let folder: string;
beforeAll(async () => {
  synthesized = await synthesize(example);
  all = await synthesize(everything);
  folder = mkdtempSync(join(tmpdir(), 'assets-'));
});
afterAll(() => {
  if (folder) rmSync(folder, { recursive: true, force: true });
});

function definitionOf({ app }: Synthesized, name: string): FunctionDefinition & { codePath: string } {
  const found = app.functions.find((each) => each.name === name);
  if (!found?.codePath) throw new Error(`There is no function ${name} with code`);
  return { ...found, codePath: found.codePath };
}

/** The environment of a function, and no more than that, with its layers where `/opt` would be. */
function environmentOf({ name, environment, layers }: FunctionDefinition): Record<string, string> {
  return {
    ...relocateOpt(environment, realizeLayers(layers, folder)),
    AWS_REGION: 'eu-central-1',
    AWS_LAMBDA_FUNCTION_NAME: name,
  };
}

function run(script: string, argument: string, env: Record<string, string>): { said: string; error: string } {
  const { stdout, stderr } = spawnSync(process.execPath, [support(script), argument], {
    cwd: folder,
    env,
    encoding: 'utf8',
  });
  return { said: stdout, error: stderr };
}

const names = readdirSync(join(root, 'functions'), { withFileTypes: true })
  .filter((entry) => entry.isFile() && entry.name.endsWith('.ts'))
  .map(({ name }) => name.slice(0, -'.ts'.length));

describe('the bundle of', () => {
  it.each(names)('%s is one file, which loads with the environment of its template and exports a handler', (name) => {
    const definition = definitionOf(all, `dbms-${name}`);
    expect(readdirSync(definition.codePath)).toEqual(['index.mjs']);
    const loaded = run('load-handler.ts', join(definition.codePath, 'index.mjs'), environmentOf(definition));
    expect(loaded).toEqual({ said: 'function', error: '' });
  });

  it.each(names)('%s holds all that it imports, also what it loads late', (name) => {
    const { codePath } = definitionOf(all, `dbms-${name}`);
    const text = readFileSync(join(codePath, 'index.mjs'), 'utf8');
    const imports = [
      ...text.matchAll(/(?<!\[)\bimport\s?(?:[\w$*{},\s]*?\s?from\s?)?"([^"]+)"/g),
      ...text.matchAll(/\b__require\("([^"]+)"\)/g),
      ...text.matchAll(/\bimport\("([^"]+)"\)/g),
    ].map(([, specifier = '']) => specifier);
    expect(imports).toContain('node:async_hooks');
    // pg looks for its native add-on only when it is asked to. (`[import ...]` stands in the text of an error.)
    expect(imports.filter((specifier) => !isBuiltin(specifier) && specifier !== 'pg-native')).toEqual([]);
  });

  it('a function fails in words when the template forgets a variable', () => {
    const definition = definitionOf(synthesized, 'dbms-backup');
    const { STATE_TABLE: _forgotten, ...environment } = environmentOf(definition);
    const { said, error } = run('load-handler.ts', join(definition.codePath, 'index.mjs'), environment);
    expect([said, error]).toEqual(['', expect.stringContaining('Missing environment variables: STATE_TABLE')]);
  });

  it('the authorizer loads with the issuer of a user pool, which only its environment tells', async () => {
    const pooled = await synthesize(plain);
    const definition = definitionOf(pooled, 'plain-authorizer');
    const environment = {
      ...environmentOf(definition),
      IDENTITY_ISSUER: 'https://cognito-idp.eu-central-1.amazonaws.com/eu-central-1_AbCdEfGhI',
      IDENTITY_AUDIENCE: '1h57kf5cpq17m0eml12EXAMPLE',
    };
    const loaded = run('load-handler.ts', join(definition.codePath, 'index.mjs'), environment);
    expect(loaded).toEqual({ said: 'function', error: '' });
  });
});

describe('the layers', () => {
  it('hold pg_dump and the parser, loadable from the bundle of the backup function', () => {
    const definition = definitionOf(synthesized, 'dbms-backup');
    const bundle = readFileSync(join(definition.codePath, 'index.mjs'), 'utf8');
    // The worker's source as the bundle has it, since no second file can be named from there.
    const [, literal = '""'] = /WASM_WORKER_SOURCE=(`(?:[^`\\]|\\.)*`|"(?:[^"\\]|\\.)*")/s.exec(bundle) ?? [];
    const source = String(runInNewContext(literal));
    expect(source).toBe(WASM_WORKER_SOURCE);

    const { said, error } = run('run-tools.ts', source, environmentOf(definition));
    expect(error).toBe('');
    const { version, statements, said: message } = JSON.parse(said);
    expect(Math.floor(version / 10_000)).toBe(18);
    expect(statements).toBe(2);
    // The start-up message, by which pg_dump introduces itself to a server.
    expect(message.split('\0')).toEqual(expect.arrayContaining(['application_name', 'pg_dump']));
  });

  it('hold the licences of what they hold', () => {
    const [layer = ''] = definitionOf(synthesized, 'dbms-backup').layers.filter((each) =>
      readdirSync(each).includes('nodejs'),
    );
    const files = readdirSync(layer, { recursive: true, encoding: 'utf8' });
    const packages = files
      .filter((file) => file.endsWith('/package.json'))
      .map((file) => file.replace('/package.json', ''));
    expect(packages.sort()).toEqual(
      ['@electric-sql/pglite', '@electric-sql/pglite-tools', '@pgsql/types', 'libpg-query'].map(
        (name) => `nodejs/node_modules/${name}`,
      ),
    );
    for (const each of packages) expect(files).toContain(`${each}/LICENSE`);
  });

  it('tell the functions the configuration, which names secrets and holds none', () => {
    const { CONFIGURATION_PATH: path = '' } = environmentOf(definitionOf(synthesized, 'dbms-backups-api'));
    const text = readFileSync(path, 'utf8');
    const { databases, identity } = runtimeConfigurationSchema.parse(JSON.parse(text));
    expect(databases.map(({ id }) => id)).toEqual(['shop', 'ledger']);
    expect(identity?.issuer).toBe(example.identity?.issuer);
    expect(text).not.toMatch(/password|vpc-|subnet-|123456789012:key/);
  });
});

describe('synthesis', () => {
  /** Every file of a cloud assembly, with what is in it; but for the notes on which line made what. */
  const filesOf = (assembly: string) =>
    Object.fromEntries(
      readdirSync(assembly, { recursive: true, withFileTypes: true })
        .filter((entry) => entry.isFile() && !entry.name.endsWith('.metadata.json'))
        .map(({ parentPath, name }) => {
          const path = join(parentPath, name);
          return [path.slice(assembly.length), createHash('sha256').update(readFileSync(path)).digest('hex')];
        }),
    );

  it('of one configuration gives the same bytes, with neither credentials nor network', () => {
    const again = join(folder, 'cdk.out');
    const { status, stdout, stderr } = spawnSync(process.execPath, ['infra/app.ts'], {
      cwd: root,
      // Any call would go to a port where nobody listens. The checks of the templates write nothing that is deployed.
      env: {
        HOME: folder,
        CDK_OUTDIR: again,
        CDK_VALIDATION: 'false',
        HTTPS_PROXY: 'http://127.0.0.1:9',
        HTTP_PROXY: 'http://127.0.0.1:9',
      },
      encoding: 'utf8',
    });
    expect([status, stderr]).toEqual([0, '']);
    expect(stdout).toMatch(/^Synthesized dbms-storage, dbms-backups, dbms-api, dbms-monitoring into /);
    expect(filesOf(again)).toEqual(filesOf(synthesized.folder));
  });
});
