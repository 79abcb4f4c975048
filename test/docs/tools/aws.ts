import { RDSClient } from '@aws-sdk/client-rds';
import { runAwsWords } from '../../security/compliance/support/aws-cli.ts';

/** Stands for AWS's CLI where guides are pasted: runs a command of RDS against the address that RDS_URL names; `--query` takes a path. */
const words = process.argv.slice(2);
const take = (option: string): string | null => {
  const at = words.indexOf(option);
  return at < 0 ? null : (words.splice(at, 2)[1] ?? null);
};
const query = take('--query');
take('--output');
const credentials = { accessKeyId: 'local', secretAccessKey: 'local' };
const rds = new RDSClient({ endpoint: process.env.RDS_URL ?? '', region: 'us-east-1', credentials });
try {
  const answer = await runAwsWords(words, { rds });
  if (query === null) process.stdout.write(`${JSON.stringify(answer, null, 2)}\n`);
  else {
    const steps = query.split(/[.[\]]+/).filter((each) => each !== '');
    const found = steps.reduce<unknown>((part, step) => (part as Record<string, unknown> | undefined)?.[step], answer);
    process.stdout.write(`${found}\n`);
  }
} catch (error) {
  process.stderr.write(`An error occurred (${(error as Error).name}): ${(error as Error).message}\n`);
  process.exitCode = 254;
} finally {
  rds.destroy();
}
