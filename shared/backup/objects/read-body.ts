import type { Readable } from 'node:stream';
import { setTimeout } from 'node:timers/promises';
import { GetObjectCommand, type S3Client } from '@aws-sdk/client-s3';

/** How often in a row a body may break off without a byte in between. */
const MAX_BREAKS = 5;
const FIRST_WAIT_MS = 100;

/**
 * Reads an object's bytes, and goes on where it was when the connection breaks off in the middle: the client tries again what is not
 * answered, but not what is answered in half, and a restore reads many thousand objects. Bytes of another object that came in its
 * place are never joined to it.
 *
 * @param signal - also ends a body that is silent
 * @throws what S3 or the network failed with
 */
export async function* readBody(
  s3: S3Client,
  object: { Bucket: string; Key: string },
  signal: AbortSignal,
): AsyncGenerator<Buffer> {
  let position = 0;
  let version: string | undefined;
  let breaks = 0;
  for (;;) {
    const rest = position === 0 ? {} : { Range: `bytes=${position}-`, IfMatch: version };
    let body: Readable | undefined;
    const close = (): void => void body?.destroy();
    try {
      const answer = await s3.send(new GetObjectCommand({ ...object, ...rest }), { abortSignal: signal });
      version ??= answer.ETag;
      body = answer.Body as Readable;
      signal.addEventListener('abort', close, { once: true });
      for await (const bytes of body) {
        position += (bytes as Buffer).length;
        breaks = 0;
        yield bytes as Buffer;
      }
      return;
    } catch (error) {
      // It broke off after its last byte.
      if (position > 0 && (error as Error).name === 'InvalidRange') return;
      breaks += 1;
      if (body === undefined || signal.aborted || breaks > MAX_BREAKS) throw error;
    } finally {
      signal.removeEventListener('abort', close);
      close();
    }
    await setTimeout(FIRST_WAIT_MS * 2 ** breaks * Math.random(), undefined, { signal });
  }
}
