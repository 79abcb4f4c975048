import * as z from 'zod';
import { OperationError } from '../../errors.ts';

const positionSchema = z.strictObject({
  slot: z.string().max(63),
  /** Transactions whose commits end here or before were looked at ... */
  after: z.string().regex(/^[0-9A-F]{1,8}\/[0-9A-F]{1,8}$/),
  /** ... and so many of the next one's changes. */
  skip: z.int().min(0),
  /** The keys that the row has had since. */
  keys: z.array(z.array(z.string())).max(20),
});

/** Where a page ends. */
export type Position = z.output<typeof positionSchema>;

/** Of a cursor, in characters, as it is part of an address. */
const MOST_CURSOR = 6000;

/** Of keys that are too long together, the latest go on. */
export function encodeCursor(position: Position): string {
  for (let keys = position.keys; ; keys = keys.slice(1)) {
    const cursor = Buffer.from(JSON.stringify({ ...position, keys })).toString('base64url');
    if (cursor.length <= MOST_CURSOR || keys.length === 0) return cursor;
  }
}

/** @throws OperationError `invalid_cursor` */
export function decodeCursor(cursor: string): Position {
  try {
    return positionSchema.parse(JSON.parse(Buffer.from(cursor, 'base64url').toString('utf8')));
  } catch {
    throw new OperationError(
      'invalid_cursor',
      'The cursor is not one that this list gave',
      'Use next_cursor of the page before, unchanged.',
    );
  }
}
