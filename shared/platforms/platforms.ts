import { aurora } from './aurora.ts';
import type { Platform, PlatformKind } from './platform.ts';
import { rds } from './rds.ts';
import { selfManaged } from './self-managed.ts';

/** Every kind that the configuration knows. One that is missing here, or a part that a kind lacks, does not compile. */
const platforms = { rds, aurora, 'self-managed': selfManaged } as const satisfies Record<PlatformKind, Platform>;

/** What is particular to the kind of server that a database is configured to be on. */
export function platformOf({ kind }: { kind: PlatformKind }): Platform {
  return platforms[kind];
}

/** Titles of the kinds of servers that alone have an extension; none: it can be installed anywhere. */
export function ownersOfExtension(name: string): string[] {
  return Object.values<Platform>(platforms).flatMap(({ title, extensions }) =>
    extensions.ownOnly.includes(name) ? [title] : [],
  );
}

/** Every value of `log_line_prefix` whose lines are read, of whichever platform. */
export const readablePrefixes: readonly string[] = [
  ...new Set(Object.values(platforms).flatMap(({ logs }) => logs.prefixes)),
];

/** For what is of no configured database. */
export const ownServer: Platform = selfManaged;
