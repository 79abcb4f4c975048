const ESCAPES: Record<string, string> = { b: '\b', f: '\f', n: '\n', r: '\r', t: '\t', v: '\v', '\\': '\\' };

/** Takes COPY's escapes from a value that the server wrote. */
export function unescapeCopyText(text: string): string {
  return text.includes('\\')
    ? text.replace(/\\(.)/gs, (_, character: string) => ESCAPES[character] ?? character)
    : text;
}
