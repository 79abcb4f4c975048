import { mkdirSync, readdirSync, rmSync, symlinkSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { buildSync } from 'esbuild';

const root = fileURLToPath(new URL('../..', import.meta.url));

/**
 * Bundles every function of `functions/` into a folder of its own, each with one `index.mjs` that holds all it needs, the AWS
 * SDK of this repository included: what runs is what was tested. The same sources give the same bytes.
 *
 * @param folder - receives `<name>/index.mjs`
 * @param made - a folder of bundles of these sources that were made before, to which `folder` then leads: tests synthesize many times
 * @throws Error naming what esbuild cannot resolve, or what is bundled from where only deployments look for changes
 */
export function bundleFunctions(folder: string, made: string | undefined = process.env.FUNCTION_BUNDLES): void {
  if (made) {
    // A link, as they are a hundred megabytes.
    mkdirSync(dirname(folder), { recursive: true });
    rmSync(folder, { recursive: true, force: true });
    symlinkSync(made, folder, 'dir');
    return;
  }
  const names = readdirSync(join(root, 'functions'))
    .filter((file) => file.endsWith('.ts'))
    .map((file) => file.slice(0, -'.ts'.length))
    .sort();
  const { metafile } = buildSync({
    metafile: true,
    absWorkingDir: root,
    entryPoints: Object.fromEntries(names.map((name) => [`${name}/index`, `functions/${name}.ts`])),
    outdir: folder,
    outExtension: { '.js': '.mjs' },
    bundle: true,
    platform: 'node',
    format: 'esm',
    target: 'node24',
    // Identifiers stay as they are: a stack trace in the log must name the function.
    minifySyntax: true,
    minifyWhitespace: true,
    legalComments: 'none',
    logLevel: 'error',
    // A native add-on that pg uses only where somebody installed it.
    external: ['pg-native'],
    banner: {
      // CommonJS dependencies call `require` for Node's own modules.
      js: "import { createRequire as createBundleRequire } from 'node:module'; const require = createBundleRequire(import.meta.url);",
    },
  });
  const others = Object.keys(metafile.inputs).filter((input) => !/^(functions|shared|node_modules)\//.test(input));
  if (others.length > 0) throw new Error(`Not from functions/, shared/ or a package: ${others.join(', ')}`);
}
