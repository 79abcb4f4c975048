import { identifierEnd, unquoted } from './names.ts';

/** Stands for a large value that an update left as it was: it is not in the log. No text holds this character. */
export const UNCHANGED = '\0';

/** NULL, as COPY text has it. */
export const NULL = '\\N';

/** A row or a part of one. Values are COPY text, so they need no more than to be put side by side. */
export interface Tuple {
  /** Names of the columns, unquoted. Tuples of one form share the array. */
  columns: readonly string[];
  values: string[];
}

/** Reads tuples of one table. It remembers their forms, as a table's rows are all alike. */
export type TupleReader = (line: string, at: number) => { tuple: Tuple; end: number };

interface Form {
  /** `name[type]:` of each column, as it stands in the line. */
  headers: string[];
  columns: string[];
}

const APOSTROPHE = 0x27;
const SPACE = 0x20;
const COLON = 0x3a;

/** Where the new row begins in an update that shows the old one first. */
export const NEW_TUPLE = 'new-tuple:';

/**
 * Makes a reader of ` name[type]:value name[type]:value ...`, with a space before each.
 *
 * @throws Error (the reader) where the text is not of this form
 */
export function tupleReader(): TupleReader {
  let form: Form = { headers: [], columns: [] };

  return (line, start) => {
    const values: string[] = [];
    let at = start;
    let changed: Form | undefined;
    let index = 0;
    while (at < line.length) {
      if (line.charCodeAt(at) !== SPACE) throw new Error(`A space is missing before column ${index + 1}`);
      at += 1;
      const known = changed ? undefined : form.headers[index];
      if (known !== undefined && line.startsWith(known, at)) at += known.length;
      else {
        if (line.startsWith(NEW_TUPLE, at)) {
          at -= 1;
          break;
        }
        changed ??= { headers: form.headers.slice(0, index), columns: form.columns.slice(0, index) };
        const end = headerEnd(line, at);
        const header = line.slice(at, end);
        changed.headers.push(header);
        changed.columns.push(unquoted(header.slice(0, identifierEnd(header, 0))));
        at = end;
      }
      const end = valueEnd(line, at);
      values.push(readValue(line, at, end));
      at = end;
      index += 1;
    }
    if (changed) form = changed;
    else if (index < form.headers.length) {
      form = { headers: form.headers.slice(0, index), columns: form.columns.slice(0, index) };
    }
    return { tuple: { columns: form.columns, values }, end: at };
  };
}

/** Behind `name[type]:`. Types may be arrays and have quoted names: the first `]:` outside quotes ends one. */
function headerEnd(line: string, start: number): number {
  let at = identifierEnd(line, start);
  if (at === start || line[at] !== '[') throw new Error('A column is written without its type');
  for (at += 1; at < line.length; ) {
    const character = line[at];
    if (character === '"') at = identifierEnd(line, at);
    else if (character === ']' && line.charCodeAt(at + 1) === COLON) return at + 2;
    else at += 1;
  }
  throw new Error('The type of a column has no end');
}

/** Behind the value: it is within apostrophes, bits within `B'...'`, or a word. */
function valueEnd(line: string, start: number): number {
  const opening = line.charCodeAt(start) === APOSTROPHE ? start : line.startsWith("B'", start) ? start + 1 : -1;
  if (opening < 0) {
    const end = line.indexOf(' ', start);
    return end < 0 ? line.length : end;
  }
  for (let from = opening + 1; ; ) {
    const end = line.indexOf("'", from);
    if (end < 0) throw new Error('A value has no end');
    if (line.charCodeAt(end + 1) !== APOSTROPHE) return end + 1;
    from = end + 2;
  }
}

function readValue(line: string, start: number, end: number): string {
  const first = line.charCodeAt(start);
  if (first === APOSTROPHE) {
    const text = line.slice(start + 1, end - 1);
    return text.includes("'") ? text.replaceAll("''", "'") : text;
  }
  if (line.charCodeAt(start + 1) === APOSTROPHE) return line.slice(start + 2, end - 1);
  const word = line.slice(start, end);
  if (word === 'null') return NULL;
  if (word === 'unchanged-toast-datum') return UNCHANGED;
  if (word.length === 0) throw new Error('A value is missing');
  return word;
}
