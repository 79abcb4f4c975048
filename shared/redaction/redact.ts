import { maskConstants } from '../postgres/mask-constants.ts';

/** What stands in place of a value that nobody should read. */
const SECRET = '[secret]';
const EMAIL = '[email]';
const TOKEN = '[token]';
const KEY = '[key]';
const VALUE = '[value]';

const secretName =
  '(?:password|passwd|passphrase|pwd|secret|token|credentials?|authorization|api[_-]?key|access[_-]?key(?:[_-]?id)?|private[_-]?key|x-amz-signature|x-amz-credential|cookie)';

/** Names of fields whose value is a secret, whatever it is. Those that end otherwise, such as `secret_arn`, only name one. */
const isSecretName = new RegExp(`^[\\w-]{0,64}${secretName}$`, 'i');
/** Names of fields that hold SQL. */
const isStatementName = /^(?:sql|statement|query_text|internalQuery)$/;

/** What is masked within a text, in this order. Each is linear: a log line may be long and come from anywhere. */
const rules: readonly (readonly [pattern: RegExp, replacement: string])[] = [
  [/-----BEGIN [A-Z ]{0,40}PRIVATE KEY-----[^-]*(?:-----END [A-Z ]{0,40}PRIVATE KEY-----)?/g, KEY],
  [/\beyJ[\w-]+\.[\w-]+(?:\.[\w-]*)?/g, TOKEN],
  [/\b(Bearer|Basic) +[\w.~+/=-]+/gi, `$1 ${TOKEN}`],
  [/\b(?:AKIA|ASIA)[A-Z0-9]{16}\b/g, KEY],
  [/\bSCRAM-SHA-256\$[\w+/=:$]+/g, SECRET],
  [/\bmd5[0-9a-f]{32}\b/g, SECRET],
  [/\b([a-z][a-z0-9+.-]{0,20}:\/\/)[^\s/@:]{0,256}:[^\s/@]{1,256}@/gi, `$1${SECRET}@`],
  [/\b(PASSWORD\s{1,8})(?:E?'(?:[^'\\]|''|\\.)*'|\$(\w*)\$.*?\$\2\$)/gi, `$1'${SECRET}'`],
  [
    // An ARN of Secrets Manager has the word `secret` before the name of one.
    new RegExp(
      `(?<!\\barn:aws[\\w-]{0,16}:secretsmanager:[\\w-]{0,32}:\\d{0,12}:)(${secretName})(["']?\\s{0,8}[:=]\\s{0,8})(?:"[^"]*"|'[^']*'|[^\\s"',;&)}\\]]+)`,
      'gi',
    ),
    `$1$2${SECRET}`,
  ],
  // The server's words about values: of a key's columns, of a failing row, of a statement's parameters, and what it could not read.
  [/\b(Key \([^()]{0,500}\)=)\([^\n]{0,2000}?\)(?=[ .]|$)/gm, `$1(${VALUE})`],
  [/\b(Failing row contains) \([^\n]*/g, `$1 (${VALUE})`],
  [/(\$\d+ = )(?:'(?:[^']|'')*'|NULL)/g, `$1${VALUE}`],
  // A value may have quotes and lines in it: up to the last quote.
  [
    /\b((?:invalid input (?:syntax for|value for) [^:\n]{1,80}|malformed \w{1,20} literal|[\w/ ]{1,40} out of range|(?:syntax error|no operand) in tsquery): )"[\s\S]*"/g,
    `$1"${VALUE}"`,
  ],
  [/"[^"\n]{0,300}"( is out of range for type )/g, `"${VALUE}"$1`],
  [/[\p{L}\p{N}._%+'-]{1,64}@[\p{L}\p{N}-]{1,63}(?:\.[\p{L}\p{N}-]{1,63}){1,8}/gu, EMAIL],
];

/** A text without emails, tokens, passwords, keys, and values of rows and parameters, as far as their form gives them away. */
export function redactText(text: string): string {
  return rules.reduce((left, [pattern, replacement]) => left.replace(pattern, replacement), text.toWellFormed());
}

/**
 * One field as it may be shown, in the form of `JSON.stringify`'s replacer: a secret by its name is masked whole, a statement keeps no
 * constants, any other text is as {@link redactText} leaves it. What holds other fields is left to their own turn.
 */
export function redactField(name: string, value: unknown): unknown {
  if (value !== null && value !== undefined && value !== '' && isSecretName.test(name)) return SECRET;
  if (typeof value !== 'string') return value;
  return redactText(isStatementName.test(name) ? maskConstants(value) : value);
}

/** A copy of a value as JSON would keep it, with every field as {@link redactField} leaves it; undefined becomes null. */
export function redact(value: unknown): unknown {
  return JSON.parse(JSON.stringify(value ?? null, redactField)) as unknown;
}
