const compiled = new Map<string, RegExp>();
/** Patterns of policies come from templates and are few; those of tokens' policies may be many. */
const MAX_COMPILED = 10_000;

/** Matches a policy's text, in which `*` stands for any characters and `?` for one. */
export function matches(pattern: string, text: string): boolean {
  let expression = compiled.get(pattern);
  if (!expression) {
    const source = pattern
      .replaceAll(/[.+^${}()|[\]\\]/g, '\\$&')
      .replaceAll('*', '.*')
      .replaceAll('?', '.');
    expression = new RegExp(`^${source}$`, 's');
    if (compiled.size >= MAX_COMPILED) compiled.clear();
    compiled.set(pattern, expression);
  }
  return expression.test(text);
}
