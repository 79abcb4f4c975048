import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PassThrough } from 'node:stream';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { answerAll } from '../../commands/init/answer.ts';
import { Ended, openPrompt } from '../../commands/init/prompt.ts';
import { configurationOf, questions } from '../../commands/init/questions.ts';
import { loadDeployment } from '../../infra/config/load.ts';

const command = join(import.meta.dirname, '../../commands/init.ts');
let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'init-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

/** Runs the command, and types lines into it. */
async function init(options: string[], typed = '', end: NodeJS.Signals | null = null) {
  // Defaults are the same on every machine.
  const env = { ...process.env, AWS_REGION: undefined, AWS_DEFAULT_REGION: undefined };
  const child = spawn(process.execPath, [command, ...options], { cwd: folder, stdio: 'pipe', env });
  let printed = '';
  for (const stream of [child.stdout, child.stderr]) stream.setEncoding('utf8').on('data', (text) => (printed += text));
  child.stdin.on('error', () => undefined);
  child.stdin.write(typed);
  if (end === null) child.stdin.end();
  else setTimeout(() => child.kill(end), 1_000);
  const [code, signal] = await once(child, 'close');
  return { code, signal, printed, files: readdirSync(folder) };
}

/** Types lines into the questions themselves; then the input ends. */
function typeInto(lines: string[]) {
  const [input, output] = [new PassThrough(), new PassThrough()];
  const prompt = openPrompt(input, output);
  const result = answerAll({ region: undefined }, prompt).finally(() => prompt.close());
  input.end(lines.map((line) => `${line}\n`).join(''));
  return { result, printed: () => String(output.read() ?? '') };
}

const secret = 'arn:aws:secretsmanager:eu-central-1:123456789012:secret:rds!db-shop-AbCdEf';
const needed = ['--account', '123456789012', '--host', 'shop.example.com', '--name', 'Shop', '--secret-arn', secret];

describe('npm run init', () => {
  test('asks, takes defaults for empty answers, and writes a configuration that can be deployed', async () => {
    const lines = ['', '123456789012', '', '', 'shop.example.com', '', 'Shop', '', '', secret, ''];
    const { code, printed, files } = await init([], `${lines.join('\n')}\ndba@example.com\n\n\n`);
    expect(printed).toContain('AWS region to deploy to [');
    expect([code, files]).toEqual([0, ['my-deployment.ts']]);
    const deployment = await loadDeployment(join(folder, 'my-deployment.ts'));
    expect(deployment).toMatchObject({
      prefix: 'dbms',
      account: '123456789012',
      databases: [{ id: 'shop', kind: 'rds', name: 'Shop', port: 5432, login: { secret_arn: secret } }],
      alert_emails: ['dba@example.com'],
      backups: { retention_days: 30 },
    });
    expect(deployment.databases[0]?.vpc).toBeUndefined();
    expect(printed).toContain('DEPLOYMENT=my-deployment.ts npm run deploy');
    expect(printed).toContain('docs/logins/rds.sql');
  });

  test('asks again at once where an answer cannot be used', async () => {
    const wrongAnswers = { region: 'Europe', account: '12', port: 'many', vpc: 'vpc-1x', 'alert-emails': 'me' };
    for (const [name, wrong] of Object.entries(wrongAnswers)) {
      const before = ['', '123456789012', '', '', 'host', '', 'shop', '', '', secret, '', 'dba@example.com'];
      const asked = questions.filter(({ name: each }) => !/ca-file|user|resource|subnets|zones|groups/.test(each));
      const place = asked.findIndex((question) => question.name === name);
      const { result, printed } = typeInto([...before.slice(0, place), wrong]);
      await expect(result, name).rejects.toBeInstanceOf(Ended);
      expect(printed(), name).toMatch(/ {2}This (must be|cannot be used: )[^\n]+\.\n[^\n]+: $/);
    }
  });

  test('refuses zones that are not as many as the subnets, though each is one', async () => {
    const given = { account: '123456789012', host: 'host', name: 'shop', 'secret-arn': secret };
    const vpc = { vpc: 'vpc-01', subnets: 'subnet-01,subnet-02', 'security-groups': 'sg-01' };
    const answer = (zones: string) => answerAll({ ...given, ...vpc, zones }, null);
    await expect(answer('eu-central-1a')).rejects.toThrow('--zones must name one zone for each subnet');
    expect(await answer('eu-central-1a,eu-central-1b')).toMatchObject({ zones: ['eu-central-1a', 'eu-central-1b'] });
  });

  test('--yes asks nothing, and names every option that is missing or wrong', async () => {
    const { code, printed, files } = await init(['--yes', '--region', 'here', '--user', 'dbms', '--port', '0']);
    expect([code, files]).toEqual([2, []]);
    for (const words of [
      '--region must be a region such as eu-central-1',
      '--account must be given',
      '--host must be given',
      '--port cannot be used',
      '--secret-arn must be given',
      '--user does not go with the other answers',
    ])
      expect(printed).toContain(words);
    expect((await init(['--yes', ...needed, '--colour', 'red'])).printed).toContain("Unknown option '--colour'");
  });

  test('takes IAM authentication, a certificate authority and a second region', async () => {
    const iam = ['--login', 'iam', '--resource-id', 'cluster-ABC', '--kind', 'aurora'];
    const [account, host] = [needed.slice(0, 2), needed.slice(2, 6)];
    const aurora = await init(['--yes', ...account, ...host, ...iam, '--copies-region', 'eu-west-1']);
    expect(aurora.printed).toContain('docs/logins/rds.sql, docs/logins/iam.sql');
    expect(aurora.printed).toContain('npx cdk bootstrap aws://123456789012/eu-central-1 aws://123456789012/eu-west-1');
    writeFileSync(join(folder, 'ca.pem'), '-----BEGIN CERTIFICATE-----\n`$\x7bx}`\\\n-----END CERTIFICATE-----\n');
    const own = await init(['--yes', ...needed, '--kind', 'self-managed', '--ca-file', 'ca.pem', '--file', 'own.ts']);
    expect(own.printed).not.toContain('must');
    const { databases } = await loadDeployment(join(folder, 'own.ts'));
    expect(databases[0]).toMatchObject({ kind: 'self-managed', login: { type: 'secret' } });
    expect(databases[0]?.tls.ca).toBe(readFileSync(join(folder, 'ca.pem'), 'utf8'));
  });

  test('does not replace a file without asking', async () => {
    writeFileSync(join(folder, 'my-deployment.ts'), 'mine');
    const content = () => readFileSync(join(folder, 'my-deployment.ts'), 'utf8');
    expect((await init(['--yes', ...needed])).printed).toContain('--overwrite replaces it');
    expect((await init([], '\n')).code).toBe(1);
    expect(content()).toBe('mine');
    expect((await init(['--yes', '--overwrite', ...needed])).code).toBe(0);
    expect(content()).toContain(secret);
  });

  test('leaves nothing behind when it is ended in the middle', async () => {
    const ended = await init([], '\n123456789012\n', 'SIGINT');
    expect([ended.code ?? ended.signal, ended.files]).toEqual(['SIGINT', []]);
    const input = Object.assign(new PassThrough(), { isTTY: true, setRawMode: () => undefined });
    const output = Object.assign(new PassThrough(), { isTTY: true, columns: 80 });
    const prompt = openPrompt(input, output);
    const answers = answerAll({}, prompt);
    input.write('\n12345\u0003');
    await expect(answers).rejects.toBeInstanceOf(Ended);
    prompt.close();
  });

  test('has an option for each question, and no two for one place of the configuration', () => {
    expect(new Set(questions.map(({ name }) => name)).size).toBe(questions.length);
    expect(new Set(questions.map(({ path }) => path.join('.'))).size).toBe(questions.length);
    expect(configurationOf({ port: 1, 'alert-emails': null })).toEqual({ databases: [{ port: 1 }] });
  });
});
