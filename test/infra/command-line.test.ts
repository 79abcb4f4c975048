import { spawnSync } from 'node:child_process';
import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import '../support/function-bundles.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));
const names = ['dbms-storage', 'dbms-backups', 'dbms-api', 'dbms-monitoring'];

let folder: string;
/** What `cdk synth` wrote. */
let assembly: string;
let synthesis: { status: number | null; output: string };

/** Runs the command line that package.json pins, as `npm run deploy` does: without credentials, and without a network. */
function cdk(...options: string[]): { status: number | null; stdout: string; output: string } {
  const { status, stdout, stderr } = spawnSync(join(root, 'node_modules/.bin/cdk'), options, {
    cwd: root,
    encoding: 'utf8',
    env: {
      PATH: process.env.PATH,
      HOME: folder,
      CI: 'true',
      NO_COLOR: '1',
      DEPLOYMENT: 'infra/config/example.ts',
      FUNCTION_BUNDLES: process.env.FUNCTION_BUNDLES,
      // `npm run synth`, which .ci/run runs beside the tests, makes the checks of the templates.
      CDK_VALIDATION: 'false',
      AWS_EC2_METADATA_DISABLED: 'true',
    },
  });
  return { status, stdout, output: stdout + stderr };
}

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'command-line-'));
  assembly = join(folder, 'cdk.out');
  synthesis = cdk('synth', '--quiet', '--output', assembly);
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

describe('the pinned CDK command line', () => {
  it('synthesizes the app and reads what the pinned library wrote', () => {
    expect(synthesis.output).toContain(`Successfully synthesized to ${assembly}`);
    expect(synthesis.status).toBe(0);
    expect(
      readdirSync(assembly)
        .filter((file) => file.endsWith('.template.json'))
        .sort(),
    ).toEqual(names.map((name) => `${name}.template.json`).sort());
  });

  it('lists the stacks', () => {
    const { status, stdout, output } = cdk('ls', '--app', assembly);
    expect(output).not.toContain('not compatible');
    expect(stdout.trim().split('\n')).toEqual(names);
    expect(status).toBe(0);
  });

  it.each(names)('compares %s with the template of an empty account', (name) => {
    const empty = join(folder, 'empty.json');
    writeFileSync(empty, '{}');
    const { status, output } = cdk('diff', name, '--exclusively', '--app', assembly, '--template', empty);
    const { Resources } = JSON.parse(readFileSync(join(assembly, `${name}.template.json`), 'utf8')) as {
      Resources: Record<string, { Type: string }>;
    };
    const added = output.match(/^\[\+\] [A-Za-z0-9]+::\S+/gm) ?? [];
    expect(added.map((line) => line.slice('[+] '.length)).sort()).toEqual(
      Object.values(Resources)
        .map(({ Type }) => Type)
        .sort(),
    );
    expect(output).toContain('Number of stacks with differences: 1');
    expect(status).toBe(0);
  });

  it('refuses what a library newer than itself wrote, as it does when the pin is too old', () => {
    const newer = join(folder, 'newer');
    cpSync(assembly, newer, { recursive: true, filter: (path) => !path.includes('/asset.') });
    const manifest = JSON.parse(readFileSync(join(newer, 'manifest.json'), 'utf8')) as { version: string };
    writeFileSync(join(newer, 'manifest.json'), JSON.stringify({ ...manifest, version: '999.0.0' }));
    const { status, output } = cdk('ls', '--app', newer);
    expect(output).toContain('This CDK CLI is not compatible with the CDK library used by your application');
    expect(status).toBe(1);
  });
});
