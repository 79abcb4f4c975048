import fc from 'fast-check';

const alphanumeric = 'abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789';
const word = (minLength: number, maxLength = 40) =>
  fc.string({ unit: fc.constantFrom(...alphanumeric), minLength, maxLength });
/** A value that would be seen: it has nothing in common with the words around it. */
const value = word(12).map((text) => `Zq${text}7`);

/** Texts around something that nobody should read, and that something. */
export const secrets: Record<string, fc.Arbitrary<{ text: string; hidden: string }>> = {
  'an email': fc
    .tuple(value, word(3))
    .map(([name, host]) => ({ text: `mail to ${name}@${host}.example failed`, hidden: name })),
  'a JWT': fc
    .tuple(word(10), value, word(10))
    .map(([a, b, c]) => ({ text: `token eyJ${a}.${b}.${c} expired`, hidden: b })),
  'a bearer token': value.map((hidden) => ({ text: `Authorization: Bearer ${hidden}`, hidden })),
  'a password in a connection string': value.map((hidden) => ({
    text: `cannot connect to postgres://dbms:${hidden}@db.example:5432/shop`,
    hidden,
  })),
  'a password in SQL': value.map((hidden) => ({ text: `ALTER ROLE dbms PASSWORD '${hidden}'`, hidden })),
  'a password in libpq’s form': value.map((hidden) => ({ text: `host=db password=${hidden} port=5432`, hidden })),
  'a secret in JSON': fc
    .tuple(fc.constantFrom('password', 'client_secret', 'access_token', 'apiKey', 'SecretAccessKey', 'cookie'), value)
    .map(([name, hidden]) => ({ text: `{"user": "dbms", "${name}": "${hidden}"}`, hidden })),
  'a signature in an address': value.map((hidden) => ({
    text: `https://b.s3.example/o?X-Amz-Date=1&X-Amz-Signature=${hidden}&x=1`,
    hidden,
  })),
  'an access key': fc
    .string({ unit: fc.constantFrom(...'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567'), minLength: 16, maxLength: 16 })
    .map((key) => ({ text: `signed by AKIA${key} now`, hidden: key })),
  'a private key': value.map((hidden) => ({
    text: `-----BEGIN PRIVATE KEY-----\n${hidden}\n-----END PRIVATE KEY-----`,
    hidden,
  })),
  'a verifier of a password': value.map((hidden) => ({ text: `SCRAM-SHA-256$4096:${hidden}$a:b`, hidden })),
  'the value of a key': value.map((hidden) => ({ text: `Key (name, id)=(${hidden}, 3) already exists.`, hidden })),
  'a row': value.map((hidden) => ({ text: `Failing row contains (1, ${hidden}, (2)).`, hidden })),
  'parameters of a statement': value.map((hidden) => ({ text: `Parameters: $1 = '${hidden}', $2 = NULL`, hidden })),
  'what the server could not read': fc
    .tuple(
      value,
      fc.constantFrom(
        'invalid input syntax for type integer: "#"',
        'invalid input syntax for type json: "{"a": "#"}"',
        `invalid input syntax for type integer: "${'long '.repeat(2000)}#"`,
        'invalid input value for enum mood: "two\nlines #"',
        'malformed array literal: "#"',
        'date/time field value out of range: "#"',
        'value "#" is out of range for type integer',
        'syntax error in tsquery: "#"',
      ),
    )
    .map(([hidden, said]) => ({ text: said.replace('#', hidden), hidden })),
};
