import { createHash } from 'node:crypto';
import { cpSync, existsSync, mkdirSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';

/**
 * The folder that stands for `/opt` of a function: its layers laid over each other. A single layer is used where it is;
 * several are copied into `<folder>/<digest>`, once per combination, since assets are named by their content.
 *
 * @returns null for a function without layers.
 */
export function realizeLayers(layers: readonly string[], folder: string): string | null {
  if (layers.length <= 1) return layers[0] ?? null;
  const merged = join(folder, createHash('sha256').update(layers.join('\n')).digest('hex').slice(0, 16));
  if (existsSync(merged)) return merged;
  const unfinished = `${merged}.unfinished`;
  rmSync(unfinished, { recursive: true, force: true });
  mkdirSync(unfinished, { recursive: true });
  for (const layer of layers) cpSync(layer, unfinished, { recursive: true, force: true });
  renameSync(unfinished, merged);
  return merged;
}

/** Environment with paths below `/opt/` moved to where the layers are. */
export function relocateOpt(environment: Readonly<Record<string, string>>, opt: string | null): Record<string, string> {
  if (opt === null) return { ...environment };
  return Object.fromEntries(
    Object.entries(environment).map(([name, value]) => [
      name,
      value.startsWith('/opt/') ? join(opt, value.slice('/opt/'.length)) : value,
    ]),
  );
}
