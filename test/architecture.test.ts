import { readdirSync, readFileSync } from 'node:fs';
import { join, relative, resolve } from 'node:path';
import { describe, expect, it } from 'vitest';
import { importsOf } from './support/imports.ts';

const root = resolve(import.meta.dirname, '..');

interface Import {
  from: string;
  to: string;
}

/** Every import between the project's own files, as paths from the root. */
function ownImports(): Import[] {
  const folders = ['functions', 'commands', 'infra', 'layers', 'local', 'shared', 'bench'];
  const files = folders.flatMap((folder) =>
    readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' })
      .filter((name) => name.endsWith('.ts'))
      .map((name) => join(folder, name)),
  );
  return files.flatMap((from) => importsOf(join(root, from)).map((to) => ({ from, to: relative(root, to) })));
}

const imports = ownImports();
const folderOf = (path: string, depth: number): string => path.split('/').slice(0, depth).join('/');

/** What each top-level folder may import from, besides itself. */
const ALLOWED: Record<string, string[]> = {
  functions: ['shared/'],
  // What is run before a deployment reads its configuration, as the app does.
  // That of the tests on managed servers says what these leave out.
  commands: ['shared/', 'infra/', 'test/support/managed-limits.ts'],
  infra: ['shared/', 'layers/'],
  layers: [],
  // The troubles it makes are named after the checks that find them. An address is tried, and a database compared, with the
  // functions' own code, so that TLS and logins mean the same.
  local: [
    'shared/contract/',
    'shared/health/checks.ts',
    'shared/errors.ts',
    'shared/configuration/tls.ts',
    'shared/postgres/connect.ts',
    'shared/postgres/identifiers.ts',
    'shared/postgres/own-schema.ts',
    'shared/postgres/tls.ts',
    'shared/quote-shell.ts',
  ],
  shared: [],
  // It measures with the memory settings of the deployed functions.
  bench: ['infra/constructs/node-function.ts', 'local/', 'shared/', 'test/'],
};

describe('the arrows between folders', () => {
  it('point only where the house rules let them', () => {
    const wrong = imports.filter(({ from, to }) => {
      const source = folderOf(from, 1);
      const target = folderOf(to, 1);
      return source !== target && !ALLOWED[source]?.some((allowed) => to.startsWith(allowed));
    });
    expect(wrong).toEqual([]);
  });

  it('keep Lambda and the CDK out of the domain', () => {
    const shared = readdirSync(join(root, 'shared'), { recursive: true, encoding: 'utf8' }).filter((name) =>
      name.endsWith('.ts'),
    );
    const wrong = shared.filter((name) =>
      /from '(aws-lambda|aws-cdk-lib|constructs|@aws\/durable-execution-sdk-js)/.test(
        readFileSync(join(root, 'shared', name), 'utf8'),
      ),
    );
    expect(wrong).toEqual([]);
  });

  it('form no circle between the folders of shared/', () => {
    const edges = new Map<string, Set<string>>();
    for (const { from, to } of imports) {
      const [source, target] = [folderOf(from, 2), folderOf(to, 2)];
      const inShared = source.startsWith('shared/') && target.startsWith('shared/') && !target.endsWith('.ts');
      if (inShared && source !== target) edges.set(source, (edges.get(source) ?? new Set()).add(target));
    }
    const circle = (path: string[]): string[] | undefined => {
      const last = path.at(-1) ?? '';
      for (const next of edges.get(last) ?? []) {
        if (path.includes(next)) return [...path, next];
        const found = circle([...path, next]);
        if (found) return found;
      }
      return undefined;
    };
    expect([...edges.keys()].map((start) => circle([start])).find(Boolean)).toBeUndefined();
  });
});

describe('what depends on who runs a server', () => {
  /** They say which kind a database is, and ask nothing. */
  const CONFIGURATIONS = [
    'shared/configuration/runtime.ts',
    'infra/config/example.ts',
    'infra/config/local.ts',
    'infra/costs/reference.ts',
  ];

  it('is in shared/platforms/, and nothing else asks which kind it is', () => {
    const asking = ['shared', 'functions', 'infra', 'commands', 'layers']
      .flatMap((folder) =>
        readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' })
          .filter((name) => name.endsWith('.ts'))
          .map((name) => join(folder, name)),
      )
      .filter((name) => !name.startsWith('shared/platforms/') && !CONFIGURATIONS.includes(name))
      .filter((name) => {
        const text = readFileSync(join(root, name), 'utf8').replaceAll(/\/\*[\s\S]*?\*\/|\/\/.*$/gm, '');
        return /['"`](?:aurora|self-managed)['"`]|\bkind\b[^\n]{0,20}[=!]==?\s*['"`]rds['"`]|case ['"`]rds['"`]/.test(
          text,
        );
      });
    expect(asking).toEqual([]);
  });

  it('is found in one place', () => {
    const implementations = ['rds', 'aurora', 'self-managed'].map((name) => `shared/platforms/${name}.ts`);
    const users = imports.filter(({ to }) => implementations.includes(to)).map(({ from }) => from);
    expect(new Set(users)).toEqual(new Set(['shared/platforms/platforms.ts']));
  });
});

describe('sessions on watched databases', () => {
  it('are opened in one place, which brings them into a clean state', () => {
    const opening = ['shared', 'functions'].flatMap((folder) =>
      readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' })
        .filter((name) => name.endsWith('.ts'))
        .map((name) => join(folder, name))
        .filter((name) => /new (pg\.)?(Client|Pool)\(/.test(readFileSync(join(root, name), 'utf8'))),
    );
    // The other one is to a server of its own, in memory.
    expect(opening).toEqual(['shared/postgres/connect.ts', 'shared/postgres/wasm-server/wasm-server.ts']);
  });
});
