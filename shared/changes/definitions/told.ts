import { MESSAGE_PREFIX } from './event-triggers.sql.ts';

/** A message with this system's prefix, whoever wrote it. */
export interface OwnMessage {
  /** Event triggers write within transactions alone. */
  transactional: boolean;
  /** COPY text. */
  content: string;
}

const OWN = new RegExp(`^message: transactional: ([01]) prefix: ${MESSAGE_PREFIX}, sz: \\d+ content:`);

/** Reads a line of `test_decoding`; null for any other than a message with this system's prefix. */
export function readOwnMessage(line: string): OwnMessage | null {
  const parts = OWN.exec(line);
  return parts ? { transactional: parts[1] === '1', content: line.slice(parts[0].length) } : null;
}
