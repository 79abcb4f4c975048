/** What a login that may do nothing but connect writes into the log, with the prefix of the event triggers. */
const emitted = (text: string): string =>
  `SELECT pg_logical_emit_message(true, 'dbms_changes', $message$${text}$message$)`;

const command = (query: string, more: object = {}): string =>
  JSON.stringify({
    event: 'ddl_command_end',
    tag: 'ALTER TABLE',
    nested: false,
    role: 'postgres',
    settings: {},
    views: [],
    missing: [],
    query,
    ...more,
  });

/** As mallory. Each is a transaction of its own. */
export const forgedMessages: readonly string[] = [
  emitted(command('ALTER ROLE mallory SUPERUSER')),
  emitted(command("COPY (SELECT 1) TO PROGRAM 'true'")),
  // To end the window.
  emitted(command('x', { nested: true })),
  // As a signature that is none.
  emitted(`2 ${'0'.repeat(64)} ${command('ALTER ROLE mallory SUPERUSER')}`),
  emitted('2 unsigned {}'),
  emitted('nothing that could be read'),
  // More than is read of any other line.
  emitted(`{"long": "${'x'.repeat(100_000)}"}`),
  "SELECT pg_logical_emit_message(false, 'dbms_changes', '{}')",
];
