import { chmodSync, mkdirSync, mkdtempSync, readdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { projectFolder } from './blocks.ts';

/**
 * Makes a folder to paste commands of guides in, in place of the clone that a reader has: all that is in the project, the variables of a
 * running system, and an `aws` that calls the local RDS API at `RDS_URL`.
 *
 * @returns its path, and what removes it
 */
export function makeReaderFolder(variables: Readonly<Record<string, string>>): { path: string; remove(): void } {
  const path = mkdtempSync(join(tmpdir(), 'reader-'));
  chmodSync(path, 0o755);
  for (const name of readdirSync(projectFolder))
    if (!['.local', '.git', 'cdk.out'].includes(name)) symlinkSync(join(projectFolder, name), join(path, name));
  for (const name of ['.local', '.programs']) mkdirSync(join(path, name));
  const lines = Object.entries(variables).map(([name, value]) => `export ${name}='${value}'\n`);
  writeFileSync(join(path, '.local/tokens'), lines.join(''));
  const aws = join(path, '.programs/aws');
  const program = join(projectFolder, 'test/docs/tools/aws.ts');
  writeFileSync(aws, `#!/bin/sh\nexec '${process.execPath}' '${program}' "$@"\n`);
  chmodSync(aws, 0o755);
  return { path, remove: () => rmSync(path, { recursive: true, force: true, maxRetries: 5 }) };
}
