import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { checkDeployment } from '../infra/config/load.ts';
import { bundleFunctions } from '../infra/constructs/bundle.ts';
import { configurations, costTables, readTemplates, withTables } from '../infra/costs/table.ts';
import { createApp } from '../infra/create-app.ts';

/** Computes the tables of docs/costs.md anew: synthesizes the reference deployments and prices what is in their templates. */
const path = new URL('../docs/costs.md', import.meta.url);
const root = mkdtempSync(join(tmpdir(), 'dbms-costs-'));
try {
  // Once for all syntheses: what the functions do is not priced by their bundles.
  process.env.CDK_VALIDATION ??= 'false';
  process.env.FUNCTION_BUNDLES = join(root, 'bundles');
  bundleFunctions(process.env.FUNCTION_BUNDLES, '');
  const priced = configurations().map((input, index) => {
    const outdir = join(root, `cdk.out-${index}`);
    createApp(checkDeployment(input, 'the reference'), { buildFolder: join(root, 'build'), outdir }).synth();
    return { input, templates: readTemplates(outdir) };
  });
  writeFileSync(path, withTables(readFileSync(path, 'utf8'), costTables(priced)));
  console.log('docs/costs.md has the tables of the present templates and prices');
} finally {
  rmSync(root, { recursive: true, force: true });
}
