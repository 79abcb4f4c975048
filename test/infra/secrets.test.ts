import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import example from '../../infra/config/example.ts';
import type { DeploymentInput } from '../../infra/config/schema.ts';
import { statementsOf } from '../../local/template/statements.ts';
import { type Synthesized, synthesize } from './support/synthesize.ts';

const ARN = 'arn:aws:secretsmanager:eu-central-1:123456789012:secret:shop-login-AbCdEf';
const secretKey = 'arn:aws:kms:eu-central-1:123456789012:key/0a1b2c3d-0000-4000-8000-000000000000';
const [shop, ledger] = example.databases;
if (shop === undefined || ledger === undefined) throw new Error('The example has no two databases');
const rotated: DeploymentInput = {
  ...example,
  databases: [
    { ...shop, login: { type: 'secret', secret_arn: ARN }, secret_key_arn: secretKey, rotate_password_days: 30 },
    ledger,
  ],
};
// Without an issuer of its own, there is a user pool, too.
const { identity: _, ...pooled } = rotated;

let all: Synthesized[];
let full: Synthesized;
beforeAll(async () => {
  full = await synthesize(rotated);
  all = [full, await synthesize({ ...pooled, prefix: 'pooled' })];
});

/** What is secret by its looks: keys, tokens, and addresses with a password. */
const looksSecret =
  /-----BEGIN|\bAKIA[A-Z0-9]{16}\b|\beyJ[\w-]{10,}\.|:\/\/[^/\s:@]+:[^/\s@]+@|SCRAM-SHA-256\$|\{\{resolve:|"(?:SecretString|GenerateSecretString|MasterUserPassword)"/;
/** What is secret by its name, unless it says where a secret is. */
const namedSecret = /passw|secret|token|credential|private|api_?key/i;
const isReference = (value: unknown): boolean => typeof value === 'object' || /^arn:/.test(String(value));

describe('no secret', () => {
  it('is in an environment variable, a parameter or an output', () => {
    for (const { assembly, written } of all) {
      const variables = written('AWS::Lambda::Function').flatMap(({ Properties }) =>
        Object.entries((Properties?.Environment as { Variables?: object } | undefined)?.Variables ?? {}),
      );
      expect(variables.length).toBeGreaterThan(50);
      const parts = assembly.stacks.flatMap(({ template }) => {
        const { Parameters = {}, Outputs = {} } = template as Record<string, Record<string, Record<string, unknown>>>;
        return [
          ...Object.entries(Parameters).map(([name, { Default }]) => [name, Default ?? {}] as const),
          ...Object.entries(Outputs).map(([name, { Value }]) => [name, Value] as const),
        ];
      });
      for (const [name, value] of [...variables, ...parts]) {
        if (namedSecret.test(name)) expect(isReference(value), name).toBe(true);
        expect(JSON.stringify(value), name).not.toMatch(looksSecret);
      }
    }
  });

  it('is anywhere in a template, or in what the functions read of the configuration', () => {
    for (const { folder } of all) {
      const names = readdirSync(folder, { recursive: true, encoding: 'utf8' });
      const read = names.filter((name) => /\.template\.json$|runtime\.json$/.test(name));
      expect(read.filter((name) => name.endsWith('.template.json')).length).toBeGreaterThanOrEqual(3);
      expect(read.some((name) => name.endsWith('runtime.json'))).toBe(true);
      for (const name of read) expect(readFileSync(join(folder, name), 'utf8'), name).not.toMatch(looksSecret);
    }
  });
});

describe('a password that is to be rotated', () => {
  it('has a schedule, which a deployment does not run, and which may invoke the function for this secret alone', () => {
    const { arn } = full.app.functions.find(({ name }) => name === 'dbms-rotate-password') ?? {};
    expect(full.ofType('AWS::SecretsManager::RotationSchedule').map(({ properties }) => properties)).toEqual([
      {
        SecretId: ARN,
        RotationLambdaARN: arn,
        RotationRules: { AutomaticallyAfterDays: 30 },
        RotateImmediatelyOnUpdate: false,
      },
    ]);
    const callers = full.ofType('AWS::Lambda::Permission').filter(({ properties }) => properties.FunctionName === arn);
    expect(callers.map(({ properties }) => [properties.Principal, properties.SourceArn])).toEqual([
      ['secretsmanager.amazonaws.com', ARN],
    ]);
  });

  it('is changed by that function alone', () => {
    const writers = statementsOf(full.app.resources).filter(({ actions }) =>
      /secretsmanager:(Put|Update)/.test(actions.join(' ')),
    );
    expect(writers.map(({ roles, resources }) => [roles, resources])).toEqual([[['dbms-rotate-password'], [ARN]]]);
  });

  it.each([
    ['of an IAM login', { ...ledger, rotate_password_days: 30 }],
    ['that RDS rotates', { ...shop, rotate_password_days: 30 }],
  ])('is refused: %s', async (_, database) => {
    await expect(synthesize({ ...example, databases: [database] as DeploymentInput['databases'] })).rejects.toThrow(
      /rotate_password_days: is for a login of type secret/,
    );
  });
});
