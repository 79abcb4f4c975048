import { readFileSync } from 'node:fs';
import { OperationError } from '../errors.ts';
import { environmentNames, readEnvironment } from './environment.ts';
import { type Database, type RuntimeConfiguration, runtimeConfigurationSchema } from './runtime.ts';

const loaded = new Map<string, RuntimeConfiguration>();

/**
 * The runtime configuration, read once per execution environment.
 *
 * @param path - of the JSON file; by default the one that the environment names
 * @throws Error when the file is missing or no configuration, naming every wrong value
 */
export function loadConfiguration(
  path: string = readEnvironment(['configurationPath']).configurationPath,
): RuntimeConfiguration {
  const known = loaded.get(path);
  if (known) return known;
  const parsed = runtimeConfigurationSchema.safeParse(withDeployedIdentity(JSON.parse(readFileSync(path, 'utf8'))));
  if (!parsed.success) {
    const reasons = parsed.error.issues.map(({ path: at, message }) => `${at.join('.')}: ${message}`);
    throw new Error(`The configuration ${path} is not valid: ${reasons.join('; ')}`);
  }
  loaded.set(path, parsed.data);
  return parsed.data;
}

/** A user pool of the app's own has no address before it is deployed; the environment tells it. */
function withDeployedIdentity(configuration: Record<string, unknown>): Record<string, unknown> {
  const issuer = process.env[environmentNames.identityIssuer];
  const audience = process.env[environmentNames.identityAudience];
  return configuration.identity === undefined && issuer
    ? { ...configuration, identity: { issuer, audience } }
    : configuration;
}

/**
 * The configured database of that id; the first one when none is named.
 *
 * @throws OperationError `unknown_database`
 */
export function findDatabase(configuration: Pick<RuntimeConfiguration, 'databases'>, id?: string): Database {
  const { databases } = configuration;
  const found = id === undefined ? databases[0] : databases.find((database) => database.id === id);
  if (found) return found;
  throw new OperationError(
    'unknown_database',
    `No database "${id}" is configured`,
    `Use one of: ${databases.map((database) => database.id).join(', ')}.`,
  );
}
