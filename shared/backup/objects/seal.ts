import { Duplex } from 'node:stream';
import {
  AlgorithmSuiteIdentifier,
  buildAwsKmsMrkAwareStrictMultiKeyringNode,
  buildClient,
  CommitmentPolicy,
  cacheClients,
  getClient,
  KMS,
} from '@aws-crypto/client-node';
import { quick } from '../../aws/clients.ts';
import { OperationError } from '../../errors.ts';
import { KeyFailure } from './key-failure.ts';

/**
 * Bound into every object as authenticated data: an object put in another's place does not open. Readable in the object's
 * header, so it holds ids and paths only.
 */
export type EncryptionContext = Record<string, string>;

/** Frames of 1 MiB: the library's default of 4 KiB costs several times the processor time. */
const FRAME_LENGTH = 1_048_576;

const client = buildClient({
  commitmentPolicy: CommitmentPolicy.REQUIRE_ENCRYPT_REQUIRE_DECRYPT,
  maxEncryptedDataKeys: 1,
});

/** In place of the library's own, which wait without end. Its types of its own client differ in what may be undefined. */
const clientProvider = cacheClients(getClient(KMS as never, quick));

/** One that takes a multi-Region key in one region for the same key in another: what one has encrypted, its replica decrypts. */
const keyringOf = (key: { generatorKeyId: string } | { keyIds: string[] }) =>
  buildAwsKmsMrkAwareStrictMultiKeyringNode({ clientProvider, ...key });

/**
 * Encrypts a stream into an AWS Encryption SDK message: AES-256-GCM with key commitment, under a data key of its own that KMS
 * makes for it. `aws-encryption-cli --decrypt` opens it too.
 */
export function sealStream(keyArn: string, context: EncryptionContext): Duplex {
  return undestroyed(
    client.encryptStream(keyringOf({ generatorKeyId: keyArn }), {
      suiteId: AlgorithmSuiteIdentifier.ALG_AES256_GCM_IV12_TAG16_HKDF_SHA512_COMMIT_KEY,
      encryptionContext: context,
      frameLength: FRAME_LENGTH,
    }),
  );
}

/**
 * A stream that works like `inner` and leaves it to the garbage collector when it is destroyed itself. The library joins its
 * inner streams by a pipeline without a callback: one that is destroyed before its end throws where nobody can catch it, and
 * takes the process along. They hold nothing but memory.
 */
function undestroyed(inner: Duplex): Duplex {
  const outer = new Duplex({
    write: (chunk: Buffer, encoding, done) => void inner.write(chunk, encoding, done),
    final: (done) => void inner.end(done),
    read: () => void inner.resume(),
  });
  inner.pause();
  inner.on('data', (chunk: Buffer) => {
    if (!outer.push(chunk)) inner.pause();
  });
  inner.on('end', () => void outer.push(null));
  inner.on('error', (cause) => void outer.destroy(new KeyFailure(cause.message, { cause })));
  return outer;
}

/**
 * Decrypts a message made by {@link sealStream}. It fails unless the message was sealed under one of `keyArns`, or the key of
 * which that is a replica, with exactly this context; nothing leaves the stream before its frame is authenticated.
 */
export function openStream(keyArns: readonly string[], context: EncryptionContext): Duplex {
  const stream = client.decryptUnsignedMessageStream(keyringOf({ keyIds: [...keyArns] }));
  // Destroyed before anything was piped into it, as when S3 has no such object, it emits an error that nobody waits for and
  // that would take the process along. While a pipeline runs, that one hears of errors as well.
  stream.on('error', () => undefined);
  stream.once('MessageHeader', (header: { encryptionContext: Readonly<EncryptionContext> }) => {
    const found = header.encryptionContext;
    const differs = Object.keys({ ...found, ...context }).some((name) => found[name] !== context[name]);
    if (differs) {
      stream.destroy(
        new OperationError(
          'object_misplaced',
          `The object at ${context.path} was sealed as ${found.path ?? 'something else'} of backup ${found.backup ?? 'unknown'}`,
          'The bucket was changed by another hand: restore the object from a former version, or use another backup.',
        ),
      );
    }
  });
  return stream;
}
