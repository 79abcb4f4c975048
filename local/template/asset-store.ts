import { cpSync, existsSync, linkSync, mkdirSync, readdirSync, renameSync, rmSync, statSync } from 'node:fs';
import { join, parse } from 'node:path';
import type { Assembly } from './assembly.ts';

/** Where the assets of deployments are kept, as in CDK's bucket: by their content, for as long as a function has them. */
export type AssetStore = {
  /** Takes over the assets of an assembly. @returns the assembly with the paths in the store */
  readonly publish: (assembly: Assembly) => Assembly;
  /** Removes what none of these paths is. */
  readonly keepOnly: (paths: ReadonlySet<string>) => void;
};

/** @param folder made when absent. */
export function openAssetStore(folder: string): AssetStore {
  mkdirSync(folder, { recursive: true, mode: 0o700 });

  /** @param key - of the object in CDK's bucket, which names the content */
  function take(key: string, source: string): string {
    const kept = join(folder, `asset.${parse(key).name}`);
    if (existsSync(kept)) return kept;
    const unfinished = `${kept}.unfinished`;
    rmSync(unfinished, { recursive: true, force: true });
    link(source, unfinished);
    renameSync(unfinished, kept);
    return kept;
  }

  return {
    publish: (assembly) => ({
      ...assembly,
      assets: new Map([...assembly.assets].map(([key, path]) => [key, take(key, path)])),
    }),
    keepOnly: (paths) => {
      for (const name of readdirSync(folder)) {
        if (!paths.has(join(folder, name))) rmSync(join(folder, name), { recursive: true, force: true });
      }
    },
  };
}

/** As a hard link, which takes no space; as a copy where the store is on another disk. */
function link(source: string, target: string): void {
  if (statSync(source).isDirectory()) {
    mkdirSync(target);
    for (const name of readdirSync(source)) link(join(source, name), join(target, name));
    return;
  }
  try {
    linkSync(source, target);
  } catch {
    cpSync(source, target);
  }
}
