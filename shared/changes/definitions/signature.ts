import { createHash, timingSafeEqual } from 'node:crypto';
import * as z from 'zod';
import { unescapeCopyText } from '../decoding/copy-text.ts';
import { SIGNED_MARK } from './event-triggers.sql.ts';
import { type DefinitionMessage, parseFirstVersion, parseSignedText } from './message.ts';

/** A part of a key: 64 bytes, which is a block of SHA-256. */
const partSchema = z.string().regex(/^[0-9a-f]{128}$/);

/** The two independent parts of a key, in hexadecimal digits. */
export const signingKeySchema = z.object({ inner: partSchema, outer: partSchema });
export type SigningKey = z.output<typeof signingKeySchema>;

/** By what the messages of a slot are told from what others wrote. */
export const signingSchema = z.object({
  /** Those that the server has signed with, one after the other. */
  keys: z.array(signingKeySchema).min(1),
  /** Transactions with this number or a higher one began after the event triggers that do not sign were gone. */
  since: z.string().regex(/^\d+$/),
});
export type Signing = z.output<typeof signingSchema>;

/** Who wrote a message with this system's prefix, as far as it can be known. */
export type Verdict =
  | { kind: 'authentic'; message: DefinitionMessage; id: string }
  /** The event triggers wrote it, of a version that this one does not know. */
  | { kind: 'unknown_version' }
  /** Written as by event triggers that did not sign, while there were such; or by anybody. */
  | { kind: 'unsigned'; message: DefinitionMessage }
  /** Anybody may have written it: it says nothing. */
  | { kind: 'unauthenticated'; claimed: DefinitionMessage | null };

/**
 * Judges a message.
 *
 * @param content - COPY text with a character for each byte
 * @param transaction.xid - that of the transaction that the message was written in, in 64 bits
 * @param transaction.heard - what was authentic in that transaction; empty before its first message
 */
export type Verifier = (content: string, transaction: { xid: bigint; heard: Set<string> }) => Verdict;

const SIGNATURE = /^([0-9a-f]{64}) /;

/**
 * Tells what the event triggers have written from what others have. A message holds for the transaction alone that it was written in,
 * and once in it.
 *
 * @param signing - null where no message was signed yet
 */
export function openVerifier(signing: Signing | null): Verifier {
  const keys = (signing?.keys ?? []).map(({ inner, outer }) => ({
    inner: Buffer.from(inner, 'hex'),
    outer: Buffer.from(outer, 'hex'),
  }));

  return (content, { xid, heard }) => {
    const text = unescapeCopyText(content);
    if (!text.startsWith(SIGNED_MARK)) {
      const message = parseFirstVersion(text);
      const isUnsigned = message !== null && (signing === null || xid < BigInt(signing.since));
      return isUnsigned ? { kind: 'unsigned', message } : { kind: 'unauthenticated', claimed: message };
    }
    const signature = SIGNATURE.exec(text.slice(SIGNED_MARK.length, SIGNED_MARK.length + 65))?.[1];
    const signed = text.slice(SIGNED_MARK.length + 65);
    if (signature === undefined || !keys.some((key) => isSigned(signed, signature, key))) {
      return { kind: 'unauthenticated', claimed: signature === undefined ? null : claimOf(signed) };
    }
    const parsed = parseSignedText(signed);
    if (!parsed) return { kind: 'unknown_version' };
    if (parsed.xid !== xid || heard.has(parsed.id)) return { kind: 'unauthenticated', claimed: parsed.message };
    heard.add(parsed.id);
    return { kind: 'authentic', message: parsed.message, id: parsed.id };
  };
}

const claimOf = (text: string): DefinitionMessage | null => parseSignedText(text)?.message ?? null;

/**
 * SHA256(outer || SHA256(inner || text)) with two independent keys of a block each: NMAC, of which HMAC is the form with one key (M.
 * Bellare, R. Canetti, H. Krawczyk, "Keying Hash Functions for Message Authentication", CRYPTO 1996).
 *
 * @param text - with a character for each byte
 */
function isSigned(text: string, signature: string, { inner, outer }: { inner: Buffer; outer: Buffer }): boolean {
  const digest = createHash('sha256').update(inner).update(text, 'latin1').digest();
  const expected = createHash('sha256').update(outer).update(digest).digest();
  return timingSafeEqual(expected, Buffer.from(signature, 'hex'));
}
