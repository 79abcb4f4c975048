import type { Remediation } from '../contract/schemas/doctor.ts';
import type { ErrorCode } from '../core/errors/catalogue.ts';
import type { OperationError } from '../errors.ts';
import { type AnyCheck, type Context, defineCheck, sql } from './check.ts';
import { features } from './features.ts';
import { quoteForPaste } from './quote-for-paste.ts';

/** What is found where nobody can log in; the error of the connection says it, and nothing is read. */
export const connectionCheck: AnyCheck = defineCheck({
  id: 'login_refused',
  title: 'The login is refused',
  needs: 'a login that may log in, and CONNECT on the database',
  affects: { stops: features },
  reads: [],
  find: () => null,
});

const QUERY_CANCELED = '57014';

/** Codes of `connect` that stay as they are until somebody changes something. */
const LASTING: ReadonlySet<string> = new Set([
  'server_unsupported',
  'authority_unknown',
  'login_refused',
  'database_missing',
  'tls_failed',
  'statement_pooling',
] satisfies ErrorCode[]);

/**
 * What a failure to connect says about the login.
 *
 * @param user - that was tried; null where that is not known
 * @returns null where the server may only be away for a while
 */
export function explainRefusal(
  error: OperationError,
  user: string | null,
  context: Context,
): { message: string; remediation: Remediation[] } | null {
  const { code: sqlState, message = '' } = (error.cause ?? {}) as { code?: string; message?: string };
  const login = user === null ? null : quoteForPaste(user);
  const database = quoteForPaste(context.database.name);
  if (sqlState === '42501' && login !== null) {
    return {
      message: `${error.message}. The login has no CONNECT on the database`,
      remediation: sql(context, `GRANT CONNECT ON DATABASE ${database} TO ${login};`),
    };
  }
  // A time-out of the database or the login, as people set it for applications, or against us.
  if (sqlState === QUERY_CANCELED && login !== null) {
    return {
      message: `${error.message}. A setting of the database or the login ends statements before a session has begun`,
      remediation: sql(context, `ALTER ROLE ${login} IN DATABASE ${database} SET statement_timeout = '30s';`),
    };
  }
  if (!LASTING.has(error.code)) return null;
  if (login !== null && /not permitted to log in/.test(message))
    return { message: error.message, remediation: sql(context, `ALTER ROLE ${login} LOGIN;`) };
  const isIam = context.database.login.type === 'iam' && error.code === 'login_refused';
  return {
    message: `${error.message}. ${error.nextStep}`,
    remediation: isIam && login !== null ? sql(context, `GRANT rds_iam TO ${login};`) : [],
  };
}
