import { readFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import type * as z from 'zod';
import { type Deployment, deploymentSchema } from './schema.ts';

/** A configuration that cannot be deployed; its message has one line `path: reason` for each problem. */
export class ConfigurationError extends Error {}

/**
 * Reads and checks the configuration of a deployment.
 *
 * @param path - of a `.json` file, or of a `.ts` or `.js` module with the configuration as its default export
 * @throws ConfigurationError naming everything that is wrong
 */
export async function loadDeployment(path: string): Promise<Deployment> {
  return checkDeployment(await readConfiguration(resolve(path)), path);
}

/** @throws ConfigurationError naming everything that is wrong */
export function checkDeployment(given: unknown, source: string): Deployment {
  const parsed = deploymentSchema.safeParse(given);
  if (parsed.success) return parsed.data;
  const lines = parsed.error.issues.flatMap(describe);
  throw new ConfigurationError(`The configuration ${source} cannot be deployed:\n${lines.join('\n')}`);
}

async function readConfiguration(path: string): Promise<unknown> {
  try {
    const text = await readFile(path, 'utf8');
    if (path.endsWith('.json')) return JSON.parse(text);
    const module = (await import(pathToFileURL(path).href)) as { default?: unknown };
    if (module.default === undefined) throw new Error('it has no default export');
    return module.default;
  } catch (error) {
    const { code, path: missing, message } = error as NodeJS.ErrnoException;
    const reason = code === 'ENOENT' && missing === path ? 'there is no such file' : message;
    throw new ConfigurationError(`The configuration ${path} cannot be read: ${reason}`);
  }
}

function describe(issue: z.core.$ZodIssue): string[] {
  const { path, message } = issue;
  if (issue.code === 'unrecognized_keys') return issue.keys.map((key) => `${dotted([...path, key])}: is not known`);
  if (issue.code === 'invalid_union' && issue.errors.length > 0) {
    // What a union itself says is only that nothing fits.
    const reasons = issue.errors.flatMap((alternative) => alternative.map((each) => each.message));
    return [`${dotted(path)}: ${[...new Set(reasons)].join(', or: ')}`];
  }
  return [`${dotted(path)}: ${message}`];
}

function dotted(path: readonly PropertyKey[]): string {
  return path.length === 0 ? '(whole file)' : path.map(String).join('.');
}
