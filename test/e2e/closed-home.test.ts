import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmod, mkdtemp, readFile, rm, stat } from 'node:fs/promises';
import { tmpdir, userInfo } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { removePostgres } from '../../local/postgres/folder.ts';
import { isLeftOut } from '../support/managed-limits.ts';
import { copyProject } from '../support/project-copy.ts';
import { eventually } from './support/api.ts';
import { processesIn, profileOptions } from './support/start.ts';

const run = promisify(execFile);
const isRoot = process.getuid?.() === 0;
const newcomer = 'dbms-newcomer';

type User = { readonly name: string; readonly ids: { uid: number; gid: number } | null };

/** The user of this process, and, where that is root, an ordinary one besides. */
const users: { name: string; open: () => Promise<User> }[] = [
  { name: isRoot ? 'root' : userInfo().username, open: async () => ({ name: userInfo().username, ids: null }) },
  ...(isRoot ? [{ name: 'an ordinary user', open: ordinaryUser }] : []),
];
if (!isRoot) process.stderr.write('SKIPPED: the two commands in a closed folder as root; this is not root\n');

async function ordinaryUser(): Promise<User> {
  const id = async (flag: string): Promise<number> => Number((await run('id', [flag, newcomer])).stdout);
  const ids = async () => ({ uid: await id('-u'), gid: await id('-g') });
  const known = await ids().catch(() => null);
  if (known) return { name: newcomer, ids: known };
  await run('useradd', ['--no-create-home', newcomer]);
  return { name: newcomer, ids: await ids() };
}

afterAll(async () => {
  if (isRoot) await run('userdel', [newcomer]).catch(() => undefined);
});

describe.each(users)('in a folder that only its owner, $name, can enter', ({ open }) => {
  let home: string;
  let clone: string;
  let user: User;
  beforeAll(async () => {
    user = await open();
    home = await mkdtemp(join(tmpdir(), 'closed-home-'));
    clone = join(home, 'clone');
    await copyProject(clone, user.ids);
    if (user.ids) await run('chown', [`${user.ids.uid}:${user.ids.gid}`, home]);
    await chmod(home, 0o700);
  });
  afterAll(async () => {
    removePostgres(join(clone, '.local'));
    await rm(home, { recursive: true, force: true, maxRetries: 5 });
  });

  /** An npm command as the user types it, in a process group as a terminal makes one. */
  function npm(...words: string[]): { child: ChildProcess; printed: () => string; ended: Promise<number | null> } {
    // Nothing of this run of the tests, as in a new terminal.
    const { PATH, LANG } = process.env;
    const child = spawn('npm', words, {
      ...(user.ids ?? {}),
      cwd: clone,
      env: { PATH, LANG, HOME: home, USER: user.name, npm_config_update_notifier: 'false' },
      stdio: ['ignore', 'pipe', 'pipe'],
      detached: true,
    });
    let printed = '';
    for (const stream of [child.stdout, child.stderr])
      stream?.setEncoding('utf8').on('data', (text: string) => {
        printed += text;
      });
    return { child, printed: () => printed, ended: once(child, 'close').then(([code]) => code as number | null) };
  }

  test('npm start comes to Ready, answers, and ends with Ctrl-C; its state is closed to others', async () => {
    const { child, printed, ended } = npm('start', '--', '--idle', '--port', '0', ...profileOptions([]));
    await eventually(
      () => /^Then, for instance$/m.test(printed()) || child.exitCode !== null,
      (over) => over,
    );
    expect(printed()).toMatch(/^Ready in /m);
    const assigned = await readFile(join(clone, '.local/tokens'), 'utf8');
    const [, api, token] = /^(?:export )?API=(\S+)\n(?:.*\n)*?(?:export )?VIEWER=(\S+)$/m.exec(assigned) ?? [];
    const answer = await fetch(`${api}/backups`, { headers: { authorization: `Bearer ${token}` } });
    expect([answer.status, await answer.text()]).toEqual([200, expect.stringContaining('first start')]);
    expect((await stat(join(clone, '.local'))).mode & 0o777).toBe(0o700);
    process.kill(-(child.pid ?? 0), 'SIGINT');
    // npm ends by the signal itself.
    expect([0, null, 130]).toContain(await ended);
    await eventually(
      () => processesIn(clone),
      (left) => left.length === 0,
    );
  });

  test.skipIf(isLeftOut('closed-home: a test against PostgreSQL'))('a test against PostgreSQL passes', async () => {
    const { printed, ended } = npm('test', '--', '--project', 'database', 'test/postgres/identifiers.db.test.ts');
    expect(await ended, printed()).toBe(0);
    expect(printed()).toMatch(/Tests .*\d+ passed/);
  });
});
