import { STATUS_CODES } from 'node:http';
import type { RouteDefinition } from '../contract/define-route.ts';
import type { Problem } from '../contract/schemas/common.ts';
import { OperationError } from '../errors.ts';
import { redactText } from '../redaction/redact.ts';
import type { ApiResult } from './event.ts';

export interface FieldError {
  /** `path.id`, `query.limit`, `body.custom_name`, `headers.idempotency-key`. */
  field: string;
  message: string;
}

/** A refusal that has a status of its own, whoever the caller is. */
export class Refusal extends OperationError {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly errors: readonly FieldError[];

  constructor(
    status: number,
    code: string,
    message: string,
    nextStep: string,
    more: { errors?: readonly FieldError[]; headers?: Readonly<Record<string, string>> } = {},
  ) {
    super(code, message, nextStep);
    this.name = 'Refusal';
    this.status = status;
    this.headers = more.headers ?? {};
    this.errors = more.errors ?? [];
  }
}

/** How the domain's failures are answered. The first of `fields` that the route has is named as the one at fault. */
const failures: Readonly<Record<string, { status: number; fields?: readonly `${string}.${string}`[] }>> = {
  unknown_database: { status: 404, fields: ['query.database'] },
  unknown_backup: { status: 404, fields: ['path.id', 'body.backup_id'] },
  unknown_job: { status: 404, fields: ['path.id'] },
  invalid_cursor: { status: 400, fields: ['query.cursor'] },
  backup_not_available: { status: 409, fields: ['path.id', 'body.backup_id'] },
  drills_not_configured: { status: 409, fields: ['body.level'] },
  definitions_missing: { status: 409, fields: ['body.level'] },
  backup_running: { status: 409 },
  download_not_made: { status: 404, fields: ['query.format'] },
  address_not_signed: { status: 503 },
  backup_in_use: { status: 409 },
  backup_needed: { status: 409, fields: ['path.id'] },
  backup_locked: { status: 409, fields: ['path.id'] },
  idempotency_key_reused: { status: 422, fields: ['headers.idempotency-key'] },
  masking_changed: { status: 409, fields: ['body.version'] },
  masking_key_unavailable: { status: 503 },
  schedules_changed: { status: 409, fields: ['body.version'] },
  schedules_not_applied: { status: 503 },
  job_not_started: { status: 503 },
  listing_too_long: { status: 503 },
  objects_left: { status: 503 },
  job_ended: { status: 409, fields: ['path.id'] },
  not_resumable: { status: 409, fields: ['path.id'] },
  not_swapped: { status: 409, fields: ['path.id'] },
  kept_database_missing: { status: 409, fields: ['path.id'] },
  swap_refused: { status: 409 },
  unknown_rule: { status: 404, fields: ['path.rule'] },
  not_waived: { status: 404, fields: ['path.rule'] },
  unknown_login: { status: 404, fields: ['path.role'] },
  login_protected: { status: 409, fields: ['body.privileged'] },
  login_not_changeable: { status: 409, fields: ['path.role'] },
  setting_missing: { status: 409, fields: ['body.timeouts'] },
  revocation_in_future: { status: 400, fields: ['body.before'] },
  waiver_end: { status: 400, fields: ['body.until'] },
  unknown_alert: { status: 404, fields: ['path.id'] },
  alert_resolved: { status: 409, fields: ['path.id'] },
  unknown_check: { status: 400, fields: ['body.checks'] },
  levels_out_of_order: { status: 400, fields: ['body.checks'] },
  unknown_metric: { status: 400, fields: ['query.metrics'] },
  beyond_retention: { status: 400, fields: ['query.hours'] },
  unknown_session: { status: 404, fields: ['path.pid'] },
  session_protected: { status: 409, fields: ['path.pid'] },
  termination_not_permitted: { status: 409, fields: ['path.pid'] },
  rows_left: { status: 409 },
  no_base: { status: 409, fields: ['body.point_in_time', 'body.backup_type'] },
  recovery_off: { status: 409, fields: ['body.backup_type'] },
  nothing_to_pause: { status: 409, fields: ['body.status'] },
  not_downloadable: { status: 409, fields: ['path.id'] },
  base_not_covered: { status: 409, fields: ['body.backup_id'] },
  target_before_base: { status: 409, fields: ['body.point_in_time'] },
  target_not_covered: { status: 409, fields: ['body.point_in_time'] },
  window_ends: { status: 409, fields: ['body.point_in_time'] },
  recovery_impossible: { status: 409, fields: ['body.enabled'] },
  transactions_running: { status: 503 },
  audit_unavailable: { status: 503 },
  settings_changed: { status: 409, fields: ['body.version'] },
  address_excluded: { status: 409, fields: ['body.settings'] },
  unknown_environment: { status: 400, fields: ['body.settings'] },
  database_unreachable: { status: 503 },
  login_refused: { status: 503 },
  server_needed: { status: 409 },
  statement_pooling: { status: 409 },
  tls_failed: { status: 503 },
};

const RETRY_AFTER_SECONDS = 5;

/** The answer to an error. Of what is not meant for the caller, it says nothing but the request's id. */
export function problemOf(error: unknown, requestId: string, route?: RouteDefinition): ApiResult {
  if (error instanceof Refusal) {
    const { status, code, message, nextStep, errors, headers } = error;
    return respond(problem(status, code, message, nextStep, requestId, errors), headers);
  }
  const known = error instanceof OperationError ? failures[error.code] : undefined;
  if (known && error instanceof OperationError) {
    const field = known.fields?.find((name) => route && hasField(route, name));
    const errors = field === undefined ? [] : [{ field, message: error.message }];
    return respond(
      problem(known.status, error.code, error.message, error.nextStep, requestId, errors),
      retryHeader(known.status),
    );
  }
  const status = isPassing(error) ? 503 : 500;
  const [code, nextStep] =
    status === 503
      ? ['service_unavailable', 'Try again in a few seconds.']
      : ['internal_error', 'Give the instance to whoever runs this system; the log names it.'];
  return respond(problem(status, code, 'The request could not be served', nextStep, requestId), retryHeader(status));
}

function problem(
  status: number,
  code: string,
  detail: string,
  nextStep: string,
  instance: string,
  errors: readonly FieldError[] = [],
): Problem {
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

/** Whether an AWS service or the time limit is at fault, so that the same request may pass a little later. */
function isPassing(error: unknown): boolean {
  if (!(error instanceof Error)) return false;
  const { name, $retryable, $metadata } = error as Error & {
    $retryable?: unknown;
    $metadata?: { httpStatusCode?: number };
  };
  return (
    name === 'TimeoutError' ||
    /Throttl|ProvisionedThroughput/.test(name) ||
    $retryable !== undefined ||
    ($metadata?.httpStatusCode ?? 0) >= 500
  );
}
