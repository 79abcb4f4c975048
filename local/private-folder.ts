import { chmodSync, existsSync, mkdirSync, readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';

/** Belongs to the server's user, who keeps it closed. */
const serversOwn = 'postgres';

/**
 * Makes a folder that its owner alone can read, or closes one that a former version left open: folders 0700, files 0600. The folder itself is
 * closed last, so that an interrupted run is done again.
 */
export function closeFolder(folder: string): void {
  if (!existsSync(folder)) {
    mkdirSync(folder, { recursive: true, mode: 0o700 });
    return;
  }
  if ((statSync(folder).mode & 0o067) === 0) return;
  closeBelow(folder, [serversOwn]);
  chmodSync(folder, 0o700);
}

/** The same for all that is in a folder. */
export function closeBelow(folder: string, leftOut: readonly string[] = []): void {
  for (const entry of readdirSync(folder, { withFileTypes: true })) {
    const path = join(folder, entry.name);
    if (entry.isDirectory() && !leftOut.includes(entry.name)) {
      closeBelow(path);
      chmodSync(path, 0o700);
    } else if (entry.isFile()) chmodSync(path, 0o600);
  }
}
