/**
 * A name as its words in small letters, joined by underscores: `EMailAddress` and `email-address` as `e_mail_address` and
 * `email_address`. Words that are written as one stay so.
 */
export function wordsOf(name: string): string {
  return name
    .replace(/([\p{Ll}\d])(\p{Lu})/gu, '$1_$2')
    .replace(/(\p{Lu})(\p{Lu}\p{Ll})/gu, '$1_$2')
    .replace(/[^\p{L}\d]+/gu, '_')
    .replace(/^_+|_+$/g, '')
    .toLowerCase();
}

/** A word in the singular, as far as English ends its plurals. */
export function singularOf(word: string): string {
  if (word === 'people') return 'person';
  if (word === 'children') return 'child';
  return word
    .replace(/ies$/, 'y')
    .replace(/(ss|sh|ch|x)es$/, '$1')
    .replace(/([^s])s$/, '$1');
}
