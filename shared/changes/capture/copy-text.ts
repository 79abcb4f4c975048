const BACKSLASH = 0x5c;
const NEWLINE = 0x0a;

/** By the byte that is escaped, what follows the backslash (PostgreSQL's manual, COPY, "Text Format"); 0 for a byte that stays. */
const ESCAPES = new Uint8Array(256);
for (const [byte, letter] of Object.entries({
  '\b': 'b',
  '\f': 'f',
  '\n': 'n',
  '\r': 'r',
  '\t': 't',
  '\v': 'v',
  '\\': '\\',
})) {
  ESCAPES[byte.charCodeAt(0)] = letter.charCodeAt(0);
}

/** Writes lines as COPY would, with the last column in parts, into blocks of memory of their own. */
export interface CopyTextWriter {
  /** Columns that hold nothing to be escaped, with their tabs. */
  plain(ascii: string): void;
  escaped(chunk: Buffer, from: number, to: number): void;
  endLine(): void;
  /** Hands over what is left. */
  flush(): void;
}

/** @param onBlock - takes each block, which is not written again */
export function copyTextWriter(onBlock: (block: Buffer) => void, blockBytes = 262_144): CopyTextWriter {
  let block = Buffer.allocUnsafeSlow(blockBytes);
  let used = 0;

  const flush = (): void => {
    if (used === 0) return;
    onBlock(block.subarray(0, used));
    block = Buffer.allocUnsafeSlow(blockBytes);
    used = 0;
  };
  const reserve = (bytes: number): void => {
    if (used + bytes > blockBytes) flush();
  };

  return {
    plain: (ascii) => {
      reserve(ascii.length);
      used += block.write(ascii, used, 'latin1');
    },
    escaped: (chunk, from, to) => {
      let at = from;
      while (at < to) {
        // A byte becomes two at most, so that the room need not be looked at for each.
        const end = Math.min(to, at + ((blockBytes - used) >> 1));
        let out = used;
        for (; at < end; at += 1) {
          const byte = chunk[at] as number;
          const letter = ESCAPES[byte] as number;
          if (letter !== 0) {
            block[out++] = BACKSLASH;
            block[out++] = letter;
          } else block[out++] = byte;
        }
        used = out;
        if (at < to) reserve(Math.min(blockBytes, 2 * (to - at)));
      }
    },
    endLine: () => {
      reserve(1);
      block[used++] = NEWLINE;
    },
    flush,
  };
}
