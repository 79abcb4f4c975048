import { Transform } from 'node:stream';
import { AwsError } from '../errors.ts';

const newline = Buffer.from('\r\n');
const maxLineBytes = 8192;

/**
 * Decodes the `aws-chunked` content encoding: sized chunks with an optional signature each (not checked), then trailers,
 * which are filled into `trailers` by lower-case name once the stream has ended.
 */
export function createChunkDecoder(trailers: Map<string, string>): Transform {
  let state: 'size' | 'data' | 'end of data' | 'trailers' | 'done' = 'size';
  let left = 0;
  let pending: Buffer = Buffer.alloc(0);

  function line(text: string): void {
    if (state === 'end of data') {
      state = 'size';
    } else if (state === 'size') {
      left = Number.parseInt(text.split(';', 1)[0] ?? '', 16);
      if (Number.isNaN(left)) throw new AwsError('IncompleteBody', 'A chunk of the body has no size');
      state = left === 0 ? 'trailers' : 'data';
    } else if (text === '') {
      state = 'done';
    } else {
      const colon = text.indexOf(':');
      trailers.set(text.slice(0, colon).trim().toLowerCase(), text.slice(colon + 1).trim());
    }
  }

  return new Transform({
    transform(chunk: Buffer, _encoding, done) {
      try {
        let rest = pending.length > 0 ? Buffer.concat([pending, chunk]) : chunk;
        while (rest.length > 0 && state !== 'done') {
          if (state === 'data') {
            const data = rest.subarray(0, left);
            this.push(data);
            left -= data.length;
            rest = rest.subarray(data.length);
            if (left === 0) state = 'end of data';
            continue;
          }
          const end = rest.indexOf(newline);
          if (end < 0) break;
          line(rest.toString('latin1', 0, end));
          rest = rest.subarray(end + newline.length);
        }
        if (state !== 'done' && rest.length > maxLineBytes)
          throw new AwsError('IncompleteBody', 'A chunk of the body has no size');
        pending = state === 'done' ? Buffer.alloc(0) : rest;
        done();
      } catch (error) {
        done(error as Error);
      }
    },
    flush(done) {
      // The blank line after the trailers may be missing, the last chunk may not.
      const whole = state === 'done' || (state === 'trailers' && pending.length === 0);
      done(whole ? null : new AwsError('IncompleteBody', 'The body ended before its last chunk'));
    },
  });
}
