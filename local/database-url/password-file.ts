import { readFileSync, statSync } from 'node:fs';
import { quoteShell } from '../../shared/quote-shell.ts';

/** Whom a password is for; `host` is `localhost` for a socket in libpq's own folder. */
export interface PasswordQuestion {
  host: string;
  port: number;
  database: string;
  user: string;
}

export interface PasswordAnswer {
  password: string | null;
  /** Why a file that is there is not used. */
  ignored?: string;
}

/**
 * Looks a password up in a password file, as libpq does: the first line that fits, `*` fits anything, and a file that others may
 * read is not used.
 *
 * @see https://www.postgresql.org/docs/current/libpq-pgpass.html
 */
export function passwordFromFile(path: string, question: PasswordQuestion): PasswordAnswer {
  try {
    const status = statSync(path);
    if (!status.isFile())
      return { password: null, ignored: `The password file ${path} is not used: it is not a plain file` };
    if ((status.mode & 0o077) !== 0 && process.platform !== 'win32') {
      return {
        password: null,
        ignored: `The password file ${path} is not used: others have access to it. Run: chmod 600 ${quoteShell(path)}`,
      };
    }
    return { password: find(readFileSync(path, 'utf8'), question) };
  } catch (error) {
    if (['ENOENT', 'ENOTDIR'].includes((error as NodeJS.ErrnoException).code ?? '')) return { password: null };
    return { password: null, ignored: `The password file ${path} is not used: ${(error as Error).message}` };
  }
}

function find(text: string, { host, port, database, user }: PasswordQuestion): string | null {
  const wanted = [host, String(port), database, user];
  for (const line of text.split(/\r?\n/)) {
    if (line.startsWith('#')) continue;
    const fields = fieldsOf(line);
    if (
      fields.length < 5 ||
      !wanted.every((value, index) => fields[index] === '*' || unescaped(fields[index]) === value)
    )
      continue;
    // Further colons are the password's own.
    return unescaped(fields.slice(4).join(':')) || null;
  }
  return null;
}

/** The parts between colons that no backslash stands before. */
function fieldsOf(line: string): string[] {
  const fields = [''];
  for (const [part] of line.matchAll(/\\.|[^:]|:/g)) {
    if (part === ':') fields.push('');
    else fields.push(`${fields.pop()}${part}`);
  }
  return fields;
}

const unescaped = (field = ''): string => field.replaceAll(/\\(.)/g, '$1');
