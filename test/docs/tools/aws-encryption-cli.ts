import { createReadStream, createWriteStream } from 'node:fs';
import { appendFile, mkdir, readdir } from 'node:fs/promises';
import { dirname, join, relative } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { parseArgs } from 'node:util';
import { buildClient, CommitmentPolicy, KmsKeyringNode } from '@aws-crypto/client-node';

/**
 * Stands in for AWS's `aws-encryption-cli`, which is written in Python and not to be had from npm: opens a folder of messages with AWS's
 * own library, by the arguments that docs/restore-by-hand.md gives to the real one, and no others. Like that one, it refuses a
 * message whose encryption context does not hold what was asked for, and every other key.
 */
const argv = process.argv.slice(2);
// An option that may come without a value, or take several, is beyond parseArgs.
const valuesOf = (option: string): string[] => {
  const start = argv.indexOf(option);
  if (start < 0) return [];
  const end = argv.findIndex((each, index) => index > start && each.startsWith('--'));
  return argv.splice(start, (end < 0 ? argv.length : end) - start).slice(1);
};
const context = Object.fromEntries(valuesOf('--encryption-context').map((pair) => pair.split('=', 2)));
const [suffix = ''] = valuesOf('--suffix');
const { values } = parseArgs({
  args: argv,
  options: {
    'decrypt-unsigned': { type: 'boolean' },
    recursive: { type: 'boolean' },
    input: { type: 'string' },
    output: { type: 'string' },
    'wrapping-keys': { type: 'string' },
    'max-encrypted-data-keys': { type: 'string' },
    'metadata-output': { type: 'string' },
  },
});
const { input = '', output = '', 'metadata-output': metadata = '' } = values;
const key = /^key=(.+)$/.exec(values['wrapping-keys'] ?? '')?.[1];
if (!values['decrypt-unsigned'] || !values.recursive || !key) throw new Error('It is not asked as the document asks');
const client = buildClient({
  commitmentPolicy: CommitmentPolicy.REQUIRE_ENCRYPT_REQUIRE_DECRYPT,
  maxEncryptedDataKeys: Number(values['max-encrypted-data-keys']),
});

for (const entry of await readdir(input, { recursive: true, withFileTypes: true })) {
  if (!entry.isFile()) continue;
  const source = join(entry.parentPath, entry.name);
  const target = join(output, relative(input, source)) + suffix;
  await mkdir(dirname(target), { recursive: true });
  const open = client.decryptUnsignedMessageStream(new KmsKeyringNode({ keyIds: [key] }));
  open.once(
    'MessageHeader',
    ({ encryptionContext: found }: { encryptionContext: Readonly<Record<string, string>> }) => {
      const differs = Object.entries(context).some(([name, value]) => found[name] !== value);
      if (differs) open.destroy(new Error(`The encryption context of ${source} is another one`));
      void appendFile(
        metadata,
        `${JSON.stringify({ input: source, output: target, header: { encryption_context: found } })}\n`,
      );
    },
  );
  await pipeline(createReadStream(source), open, createWriteStream(target));
}
