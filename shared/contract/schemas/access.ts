import * as z from 'zod';
import { databaseIdSchema } from '../../configuration/runtime.ts';
import { roleSchema } from '../roles.ts';
import { securitySettingsSchema } from './security-settings.ts';

/** PostgreSQL cuts a longer name off silently (NAMEDATALEN - 1). */
const MAX_NAME_BYTES = 63;
const NO_CONTROL = /^[^\p{Cc}]*$/u;

/** A login by its exact name. */
export const loginNameSchema = z
  .string()
  .min(1)
  .refine((name) => new TextEncoder().encode(name).length <= MAX_NAME_BYTES, `must be at most ${MAX_NAME_BYTES} bytes`)
  .refine((name) => name.isWellFormed() && !name.includes('\0'), 'must be Unicode text without NUL characters')
  .meta({ description: 'Name of a login of the server, exactly as it is.', examples: ['shop_app'] });

/** Time limits that a login can have of its own, by PostgreSQL's names. */
export const sessionTimeouts = [
  'statement_timeout',
  'lock_timeout',
  'idle_in_transaction_session_timeout',
  'idle_session_timeout',
] as const;

const loginSchema = z
  .object({
    name: z.string(),
    attributes: z
      .array(z.enum(['superuser', 'createrole', 'createdb', 'replication', 'bypassrls']))
      .meta({ description: 'What it may do to the server as a whole.' }),
    member_of: z.array(z.string()).meta({ description: 'Roles that it is directly a member of; at most 100.' }),
    connection_limit: z.int().nullable().meta({ description: 'null: none.' }),
    valid_until: z.iso.datetime().nullable().meta({ description: 'When its password ends; null: never.' }),
    settings: z
      .record(z.string(), z.string())
      .meta({ description: 'Time limits that it has of its own, as the server writes them.' }),
    sessions: z.int().meta({ description: 'Sessions that it has now.' }),
    last_seen: z.iso.datetime().nullable().meta({
      description: 'When it was last seen with a session; null: not since `looked_since`. Looked at every ten minutes.',
    }),
    is_own: z.boolean().meta({ description: 'Whether this system logs in with it.' }),
  })
  .meta({ id: 'Login', description: 'A login of a server.' });

const revocationSchema = z
  .object({
    jti: z.string().nullable(),
    sub: z.string().nullable(),
    before: z.iso.datetime().nullable(),
    by: z.string().meta({ description: '`sub` of who revoked it.' }),
    at: z.iso.datetime(),
  })
  .meta({
    id: 'TokenRevocation',
    description: 'One token, or all of a caller whose session began before a moment.',
  });

export const accessSchema = z
  .object({
    roles: z
      .array(
        z.object({
          role: roleSchema,
          routes: z.array(z.string()).meta({ description: 'What it may call, as `METHOD /path`.' }),
        }),
      )
      .meta({ description: 'The roles of this system.' }),
    limits: securitySettingsSchema
      .pick({ session_max_age_minutes: true, allowed_address_ranges: true, requests_per_minute: true })
      .meta({ description: 'What holds for all callers; `PUT security/settings` changes it.' }),
    revocations: z.array(revocationSchema).meta({ description: 'Those that still matter, the newest first.' }),
    database: databaseIdSchema,
    looked_since: z.iso.datetime().meta({ description: 'Since when sessions of logins are looked at.' }),
    logins: z.array(loginSchema).meta({ description: 'The logins of the server, at most 1000.' }),
  })
  .meta({ id: 'Access', description: 'Who can do what: in this system, and on the server of a database.' });

const MAX_CONNECTIONS = 262_143;
const MAX_MILLISECONDS = 2_147_483_647;
const timeout = z
  .int()
  .min(0)
  .max(MAX_MILLISECONDS)
  .nullable()
  .optional()
  .meta({ description: 'Milliseconds; 0: no limit; null: as the server or the database says.' });

export const loginChangeSchema = z
  .strictObject({
    connection_limit: z.int().min(0).max(MAX_CONNECTIONS).nullable().optional().meta({ description: 'null: none.' }),
    valid_until: z.iso
      .datetime({ offset: true })
      .nullable()
      .optional()
      .meta({ description: 'When its password ends; null: never. It does not end sessions.' }),
    timeouts: z
      .strictObject(
        Object.fromEntries(sessionTimeouts.map((name) => [name, timeout])) as Record<
          (typeof sessionTimeouts)[number],
          typeof timeout
        >,
      )
      .optional()
      .meta({ description: 'For sessions that begin from now on.' }),
    privileged: z.boolean().default(false).meta({
      description: '`true`: also a superuser, or the login of this system itself.',
    }),
  })
  .refine(
    ({ connection_limit, valid_until, timeouts }) =>
      [connection_limit, valid_until, timeouts].some((one) => one !== undefined),
    {
      error: 'must name something to change',
    },
  );

export const loginChangedSchema = z.object({
  database: databaseIdSchema,
  before: loginSchema.omit({ last_seen: true }),
  after: loginSchema.omit({ last_seen: true }),
});

/** Characters of a `sub` (OpenID Connect Core, section 2) or `jti`. A token with a longer one is refused: it could not be revoked. */
export const MAX_TOKEN_ID = 255;
export const tokenIdSchema = z.string().min(1).max(MAX_TOKEN_ID).regex(NO_CONTROL, 'must not hold control characters');

export const revocationRequestSchema = z
  .strictObject({
    jti: tokenIdSchema.optional().meta({ description: '`jti` of one token.' }),
    sub: tokenIdSchema.optional().meta({ description: '`sub` of a caller, in place of `jti`.' }),
    before: z.iso.datetime({ offset: true }).optional().meta({
      description: 'With `sub`: sessions that began before this moment; by default now. Not in the future.',
    }),
  })
  .refine(({ jti, sub }) => (jti === undefined) !== (sub === undefined), 'must have either jti or sub')
  .refine(({ jti, before }) => jti === undefined || before === undefined, {
    path: ['before'],
    error: 'goes with sub alone',
  });

export const revocationsSchema = z.object({ revocations: z.array(revocationSchema) });

export type Login = z.output<typeof loginSchema>;
export type LoginState = Omit<Login, 'last_seen'>;
export type LoginChange = z.output<typeof loginChangeSchema>;
export type Revocation = z.output<typeof revocationSchema>;
export type RevocationRequest = z.output<typeof revocationRequestSchema>;
