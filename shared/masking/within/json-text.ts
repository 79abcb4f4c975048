import { createByteWriter } from './byte-writer.ts';
import type { PathStep } from './json-path.ts';
import type { ScalarMask } from './json-scalars.ts';
import type { ValueMask } from './value-mask.ts';

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const COLON = 0x3a;
const COMMA = 0x2c;
const OBJECT = 0x7b;
const OBJECT_END = 0x7d;
const ARRAY = 0x5b;
const ARRAY_END = 0x5d;
const BLANK = 0x20;
const SMALL_T = 0x74;
const SMALL_F = 0x66;
const SMALL_N = 0x6e;
const NULL = Buffer.from('null');

interface Node {
  mask: ScalarMask | null;
  keys: Map<string, Node>;
  any: Node | null;
}

const createNode = (): Node => ({ mask: null, keys: new Map(), any: null });

function treeOf(paths: readonly { steps: readonly PathStep[]; mask: ScalarMask }[]): Node {
  const root = createNode();
  for (const { steps, mask } of paths) {
    let node = root;
    for (const step of steps) {
      const next = (step === null ? node.any : node.keys.get(step)) ?? createNode();
      if (step === null) node.any = next;
      else node.keys.set(step, next);
      node = next;
    }
    node.mask = mask;
  }
  return root;
}

const isSpace = (byte: number | undefined): boolean => byte !== undefined && byte <= BLANK;

/** @returns where the next token begins */
function skipSpace(source: Uint8Array, from: number): number {
  let at = from;
  while (isSpace(source[at])) at += 1;
  return at;
}

/** @returns behind the string that begins at `from` */
function skipString(source: Uint8Array, from: number): number {
  let at = from + 1;
  while (at < source.length && source[at] !== QUOTE) at += source[at] === BACKSLASH ? 2 : 1;
  return at + 1;
}

/** @returns behind the number, `true`, `false` or `null` that begins at `from` */
function skipWord(source: Uint8Array, from: number): number {
  let at = from;
  for (; at < source.length; at++) {
    const byte = source[at];
    if (byte === COMMA || byte === OBJECT_END || byte === ARRAY_END || isSpace(byte)) break;
  }
  return at;
}

/** The text of a string, by its place with quotes. */
function textOf(source: Uint8Array, from: number, to: number): Uint8Array {
  const inner = source.subarray(from + 1, to - 1);
  if (!inner.includes(BACKSLASH)) return inner;
  return Buffer.from(JSON.parse(Buffer.from(source.subarray(from, to)).toString()) as string);
}

/**
 * Masks values at some paths of JSON text as the server writes it, which is valid. All else stays byte for byte: the order of members, those
 * that stand twice, blanks, and numbers beyond what a double holds. An object or array at a path is masked value for value, its names
 * of members stay. What is at the longer one of two paths that begin alike is masked by the shorter one.
 */
export function createJsonMask(paths: readonly { steps: readonly PathStep[]; mask: ScalarMask }[]): ValueMask {
  const root = treeOf(paths);
  const out = createByteWriter();
  let text: Uint8Array = new Uint8Array();
  let copied = 0;

  const put = (from: number, to: number, value: Uint8Array, isText: boolean): void => {
    out.copy(text, copied, from);
    copied = to;
    if (!isText) out.copy(value, 0, value.length);
    else writeString(value);
  };
  const writeString = (value: Uint8Array): void => {
    out.byte(QUOTE);
    for (const byte of value) {
      if (byte < BLANK) {
        const escaped = Buffer.from(`\\u${byte.toString(16).padStart(4, '0')}`);
        out.copy(escaped, 0, escaped.length);
        continue;
      }
      if (byte === QUOTE || byte === BACKSLASH) out.byte(BACKSLASH);
      out.byte(byte);
    }
    out.byte(QUOTE);
  };

  const maskScalar = (from: number, to: number, { string, number }: ScalarMask): void => {
    const byte = text[from];
    if (byte === SMALL_N) return;
    if (byte === QUOTE) {
      const masked = string(textOf(text, from, to));
      put(from, to, masked ?? NULL, masked !== null);
    } else if (byte === SMALL_T || byte === SMALL_F) {
      put(from, to, NULL, false);
    } else {
      const masked = number(text.subarray(from, to));
      put(from, to, masked?.masked ?? NULL, masked !== null && !masked.isNumber);
    }
  };

  /** Goes through a value, whatever is nested in it. @returns behind it */
  const passValue = (from: number, mask: ScalarMask | null): number => {
    let depth = 0;
    let at = from;
    do {
      at = skipSpace(text, at);
      const byte = text[at];
      if (byte === OBJECT || byte === ARRAY) depth += 1;
      if (byte === OBJECT_END || byte === ARRAY_END) depth -= 1;
      if (byte === QUOTE) {
        const end = skipString(text, at);
        if (mask && text[skipSpace(text, end)] !== COLON) maskScalar(at, end, mask);
        at = end;
      } else if (
        byte === OBJECT ||
        byte === ARRAY ||
        byte === OBJECT_END ||
        byte === ARRAY_END ||
        byte === COMMA ||
        byte === COLON
      ) {
        at += 1;
      } else {
        const end = skipWord(text, at);
        if (mask) maskScalar(at, end, mask);
        at = end;
      }
    } while (depth > 0 && at < text.length);
    return at;
  };

  const walk = (from: number, nodes: readonly Node[]): number => {
    let at = skipSpace(text, from);
    const mask = nodes.find((node) => node.mask !== null)?.mask;
    if (mask?.constant) {
      const end = passValue(at, null);
      put(at, end, mask.constant, false);
      return end;
    }
    const isObject = text[at] === OBJECT;
    if (mask || nodes.length === 0 || !(isObject || text[at] === ARRAY)) return passValue(at, mask ?? null);
    for (;;) {
      at = skipSpace(text, at + 1);
      const byte = text[at];
      if (byte === OBJECT_END || byte === ARRAY_END) return at + 1;
      let key: string | null = null;
      if (isObject) {
        const end = skipString(text, at);
        key = Buffer.from(textOf(text, at, end)).toString();
        at = skipSpace(text, end) + 1;
      }
      const below = nodes.flatMap((node) =>
        [...(key === null ? [] : [node.keys.get(key)]), node.any].flatMap((one) => one ?? []),
      );
      at = skipSpace(text, walk(at, below));
      if (text[at] !== COMMA) return at + 1;
    }
  };

  return (source, from, to) => {
    text = source.subarray(from, to);
    copied = 0;
    out.reset();
    walk(0, [root]);
    out.copy(text, copied, text.length);
    return out.written();
  };
}
