import { createHash } from 'node:crypto';
import { chmodSync, chownSync, existsSync, mkdirSync, renameSync, rmSync, statSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { isReachable, type Owner, serverOwner } from './programs.ts';

/** Where a server keeps its data and programs, and who runs it; null: the user of this process. */
export type Place = { readonly path: string; readonly owner: Owner | null };

/** Folders outside the state folder are named after it, below one of these; the first takes new ones. The second may be emptied by the system. */
const outsideFolders = ['/var/lib', '/var/tmp'];

/**
 * Makes the server's folder: below the state folder, unless another user runs the server and a folder above it is closed to that user, as
 * /root is. Then it is one outside.
 *
 * @param isNew - whether the state begins anew: then what a removed state folder has left outside is removed
 */
export async function prepareFolder(stateFolder: string, isNew: boolean): Promise<Place> {
  const owner = await serverOwner();
  if (isNew) removePostgres(stateFolder);
  const path = owner && !isReachable(dirname(resolve(stateFolder))) ? outside(stateFolder) : inside(stateFolder);
  mkdirSync(path, { recursive: true });
  if (owner) chownSync(path, owner.uid, owner.gid);
  chmodSync(path, 0o700);
  if (owner && path === inside(stateFolder)) letThrough(stateFolder, owner);
  return { path, owner };
}

/** Removes the data where it is not below the state folder; see {@link prepareFolder}. */
export function removePostgres(stateFolder: string): void {
  for (const folder of outsideFolders) rmSync(join(folder, outsideName(stateFolder)), { recursive: true, force: true });
}

const inside = (stateFolder: string): string => join(resolve(stateFolder), 'postgres');

/** Takes over what a former version has kept where the system may empty it. */
function outside(stateFolder: string): string {
  const [path = '', former = ''] = outsideFolders.map((folder) => join(folder, outsideName(stateFolder)));
  if (!existsSync(path) && existsSync(former)) {
    try {
      renameSync(former, path);
    } catch {
      // On another disk; it stays where it is.
      return former;
    }
  }
  return path;
}

function outsideName(stateFolder: string): string {
  return `local-postgres-${createHash('sha256').update(resolve(stateFolder)).digest('hex').slice(0, 12)}`;
}

/** The server's user may pass through the state folder to its own, and sees nothing else of it. */
function letThrough(stateFolder: string, owner: Owner): void {
  chownSync(stateFolder, statSync(stateFolder).uid, owner.gid);
  chmodSync(stateFolder, 0o710);
}
