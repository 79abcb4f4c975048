type Token = { readonly kind: 'path' | 'text' | 'number' | 'sign'; readonly text: string };
type Matches = (event: unknown) => boolean;

const TOKEN = /\s*(?:(\$(?:\.[A-Za-z_][\w-]*)+)|"([^"]*)"|(-?\d+(?:\.\d+)?)|(&&|\|\||!=|>=|<=|[=<>(){}]))/y;

/**
 * A filter pattern of CloudWatch Logs for JSON: comparisons of fields with texts and numbers, `&&`, `||` and parentheses. A field that
 * is not there matches nothing.
 *
 * @throws Error for anything else, rather than letting through what the deployed filter would not
 */
export function parseFilterPattern(pattern: string): Matches {
  const tokens = tokensOf(pattern);
  let at = 0;
  const failed = (): Error => new Error(`The filter pattern ${pattern} does not run locally`);
  const isNext = (text: string): boolean => tokens[at]?.kind === 'sign' && tokens[at]?.text === text;
  const take = (text: string): void => {
    if (!isNext(text)) throw failed();
    at += 1;
  };
  const comparison = (): Matches => {
    if (isNext('(')) {
      take('(');
      const inner = anyOf();
      take(')');
      return inner;
    }
    const [path, operator, value] = tokens.slice(at, at + 3);
    at += 3;
    const compare = comparisons[operator?.text ?? ''];
    if (path?.kind !== 'path' || compare === undefined || (value?.kind !== 'text' && value?.kind !== 'number'))
      throw failed();
    const wanted = value.kind === 'number' ? Number(value.text) : value.text;
    const names = path.text.split('.').slice(1);
    return (event) => {
      const found = names.reduce<unknown>((holder, name) => (holder as Record<string, unknown> | null)?.[name], event);
      return typeof found === typeof wanted && compare(found as number, wanted as number);
    };
  };
  const allOf = (): Matches => {
    const parts = [comparison()];
    for (; isNext('&&'); parts.push(comparison())) take('&&');
    return (event) => parts.every((part) => part(event));
  };
  function anyOf(): Matches {
    const parts = [allOf()];
    for (; isNext('||'); parts.push(allOf())) take('||');
    return (event) => parts.some((part) => part(event));
  }
  take('{');
  const matches = anyOf();
  take('}');
  if (at !== tokens.length) throw failed();
  return matches;
}

const comparisons: Record<string, (found: number, wanted: number) => boolean> = {
  '=': (found, wanted) => found === wanted,
  '!=': (found, wanted) => found !== wanted,
  '>': (found, wanted) => found > wanted,
  '>=': (found, wanted) => found >= wanted,
  '<': (found, wanted) => found < wanted,
  '<=': (found, wanted) => found <= wanted,
};

function tokensOf(pattern: string): Token[] {
  const tokens: Token[] = [];
  const text = pattern.trim();
  TOKEN.lastIndex = 0;
  while (TOKEN.lastIndex < text.length) {
    const from = TOKEN.lastIndex;
    const found = TOKEN.exec(text);
    if (!found) throw new Error(`The filter pattern ${pattern} does not run locally: ${text.slice(from)}`);
    const [, path, quoted, number, sign] = found;
    if (path !== undefined) tokens.push({ kind: 'path', text: path });
    else if (quoted !== undefined) tokens.push({ kind: 'text', text: quoted });
    else if (number !== undefined) tokens.push({ kind: 'number', text: number });
    else tokens.push({ kind: 'sign', text: sign ?? '' });
  }
  return tokens;
}
