import { writeFileSync } from 'node:fs';
import { readApp } from '../template/read.ts';
import { rightsReport } from './report.ts';

/**
 * Prints what each function may do, from the templates that `npm run synth` has written: `npm run rights`. `CDK_OUTDIR` names their folder
 * (`cdk.out` without it); `-- --write <file>` writes the report into a file.
 */
const folder = process.env.CDK_OUTDIR ?? 'cdk.out';
const [option, file] = process.argv.slice(2);
try {
  const report = rightsReport(readApp(folder).resources);
  if (option === undefined) console.log(report);
  else if (option === '--write' && file !== undefined) writeFileSync(file, report);
  else throw new Error(`There is no option ${option}; use --write <file>, or none`);
} catch (error) {
  console.error(`The rights cannot be read from ${folder}: ${(error as Error).message}. Run npm run synth first.`);
  process.exitCode = 1;
}
