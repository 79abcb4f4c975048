import { STATUS_CODES } from 'node:http';
import type { RouteDefinition } from '../contract/define-route.ts';
import type { Problem } from '../contract/schemas/common.ts';
import type { ErrorCode } from '../core/errors/catalogue.ts';
import { isTransientServiceError, statusOf } from '../core/errors/kinds.ts';
import { OperationError } from '../errors.ts';
import { redactText } from '../redaction/redact.ts';
import type { ApiResult } from './event.ts';

export interface FieldError {
  /** `path.id`, `query.limit`, `body.custom_name`, `headers.idempotency-key`. */
  field: string;
  message: string;
}

/** A refusal of what the caller has sent, with the fields at fault or headers of its own. */
export class Refusal extends OperationError {
  readonly headers: Readonly<Record<string, string>>;
  readonly errors: readonly FieldError[];

  constructor(
    code: ErrorCode,
    message: string,
    nextStep: string,
    more: { errors?: readonly FieldError[]; headers?: Readonly<Record<string, string>> } = {},
  ) {
    super(code, message, nextStep);
    this.name = 'Refusal';
    this.headers = more.headers ?? {};
    this.errors = more.errors ?? [];
  }
}

/** The fields that a failure of the domain may be about. The first that the route has is named as the one at fault. */
const fieldsAtFault: Readonly<Partial<Record<ErrorCode, readonly `${string}.${string}`[]>>> = {
  unknown_database: ['query.database'],
  unknown_backup: ['path.id', 'body.backup_id'],
  unknown_job: ['path.id'],
  invalid_cursor: ['query.cursor'],
  backup_not_available: ['path.id', 'body.backup_id'],
  drills_not_configured: ['body.level'],
  definitions_missing: ['body.level'],
  download_not_made: ['query.format'],
  backup_needed: ['path.id'],
  backup_locked: ['path.id'],
  idempotency_key_reused: ['headers.idempotency-key'],
  masking_changed: ['body.version'],
  schedules_changed: ['body.version'],
  job_ended: ['path.id'],
  not_resumable: ['path.id'],
  not_swapped: ['path.id'],
  kept_database_missing: ['path.id'],
  unknown_rule: ['path.rule'],
  not_waived: ['path.rule'],
  unknown_login: ['path.role'],
  login_protected: ['body.privileged'],
  login_not_changeable: ['path.role'],
  setting_missing: ['body.timeouts'],
  revocation_in_future: ['body.before'],
  waiver_end: ['body.until'],
  unknown_alert: ['path.id'],
  alert_resolved: ['path.id'],
  unknown_check: ['body.checks'],
  levels_out_of_order: ['body.checks'],
  unknown_metric: ['query.metrics'],
  beyond_retention: ['query.hours'],
  unknown_session: ['path.pid'],
  session_protected: ['path.pid'],
  termination_not_permitted: ['path.pid'],
  no_base: ['body.point_in_time', 'body.backup_type'],
  recovery_off: ['body.backup_type'],
  nothing_to_pause: ['body.status'],
  not_downloadable: ['path.id'],
  base_not_covered: ['body.backup_id'],
  target_before_base: ['body.point_in_time'],
  target_not_covered: ['body.point_in_time'],
  window_ends: ['body.point_in_time'],
  recovery_impossible: ['body.enabled'],
  settings_changed: ['body.version'],
  address_excluded: ['body.settings'],
  unknown_environment: ['body.settings'],
};

const RETRY_AFTER_SECONDS = 5;

/** The answer to an error. Of what is not meant for the caller, it says nothing but the request's id. */
export function problemOf(error: unknown, requestId: string, route?: RouteDefinition): ApiResult {
  if (error instanceof OperationError) {
    const { code, message, nextStep } = error;
    const status = statusOf(code);
    const { errors, headers } = error instanceof Refusal ? error : { errors: [], headers: {} };
    const named = errors.length > 0 ? errors : atFault(error, route);
    return respond(problem(code, message, nextStep, requestId, named), { ...retryHeader(status), ...headers });
  }
  const [code, nextStep] = isTransientServiceError(error)
    ? (['service_unavailable', 'Try again in a few seconds.'] as const)
    : (['internal_error', 'Give the instance to whoever runs this system; the log names it.'] as const);
  const answer = problem(code, 'The request could not be served', nextStep, requestId);
  return respond(answer, retryHeader(answer.status));
}

function atFault({ code, message }: OperationError, route: RouteDefinition | undefined): FieldError[] {
  const field = fieldsAtFault[code]?.find((name) => route && hasField(route, name));
  return field === undefined ? [] : [{ field, message }];
}

function problem(
  code: ErrorCode,
  detail: string,
  nextStep: string,
  instance: string,
  errors: readonly FieldError[] = [],
): Problem {
  const status = statusOf(code);
  // A refusal speaks of what the caller has sent; a failure may speak of what others have.
  const shown = status >= 500 ? redactText : (text: string) => text;
  return {
    type: `urn:problem:${code}`,
    title: STATUS_CODES[status] ?? 'Error',
    status,
    code,
    detail: shown(detail),
    next_step: shown(nextStep),
    instance,
    ...(errors.length > 0 ? { errors: [...errors] } : {}),
  };
}

function respond(body: Problem, headers: Readonly<Record<string, string>>): ApiResult {
  return {
    statusCode: body.status,
    headers: { 'Content-Type': 'application/problem+json', 'Cache-Control': 'no-store', ...headers },
    body: JSON.stringify(body),
  };
}

function retryHeader(status: number): Record<string, string> {
  return status === 503 ? { 'Retry-After': String(RETRY_AFTER_SECONDS) } : {};
}

function hasField(route: RouteDefinition, field: string): boolean {
  const [part, name = ''] = field.split('.');
  if (part === 'headers') return true;
  const schema = part === 'path' ? route.params : part === 'query' ? route.query : route.body;
  return schema !== undefined && 'shape' in schema && name in (schema.shape as object);
}
