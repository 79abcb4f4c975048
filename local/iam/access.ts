import { localAccount } from '../aws/account.ts';
import { AwsError } from '../aws/errors.ts';
import { type AccessRequest, compileStatements, type Decide, type PolicyStatement } from './evaluate.ts';

/** What the template lets each function do, as plain data, so that it can be handed to another thread. */
export type Permissions = {
  /** By access key id, which is the function's name: its role and the statements of that role's policies. */
  readonly callers: Readonly<
    Record<string, { readonly role: string; readonly statements: readonly PolicyStatement[] }>
  >;
  /** ARN of the key that S3 encrypts a bucket's objects with, by the bucket's name. */
  readonly bucketKeys: Readonly<Record<string, string>>;
  /** By name: the partition keys of a table (`''`) and its indexes, and the key that encrypts it where that is a key of the account. */
  readonly tables: Readonly<
    Record<string, { readonly partitionKeys: Readonly<Record<string, string>>; readonly keyArn?: string }>
  >;
};

const nothing: Permissions = { callers: {}, bucketKeys: {}, tables: {} };

/** Decides what callers may do. Who is no function of the template is an administrator of the account, and may do all. */
export type Access = {
  /** Takes the permissions of a deployment in place of those before. */
  set(permissions: Permissions): void;
  /** Whether this caller is a function of the template. */
  isLimited(caller: string | undefined): boolean;
  allows(caller: string | undefined, request: AccessRequest): boolean;
  /** @param code - `AccessDenied` where the service says so in place of `AccessDeniedException` @throws AwsError */
  check(caller: string | undefined, requests: readonly AccessRequest[], code?: string): void;
  permissions(): Permissions;
};

export function createAccess(): Access {
  let current = nothing;
  let deciding = new Map<string, Decide>();
  const decide = (caller: string | undefined, request: AccessRequest) =>
    deciding.get(caller ?? '')?.(request) ?? 'allowed';
  return {
    set: (permissions) => {
      deciding = new Map(
        Object.entries(permissions.callers).map(([name, { statements }]) => [name, compileStatements(statements)]),
      );
      current = permissions;
    },
    isLimited: (caller) => deciding.has(caller ?? ''),
    allows: (caller, request) => decide(caller, request) === 'allowed',
    check: (caller, requests, code = 'AccessDeniedException') => {
      for (const request of requests) {
        const decision = decide(caller, request);
        if (decision === 'allowed') continue;
        const user = `arn:aws:sts::${localAccount.accountId}:assumed-role/${current.callers[caller ?? '']?.role}/${caller}`;
        const why =
          decision === 'explicit'
            ? 'with an explicit deny in an identity-based policy'
            : `because no identity-based policy allows the ${request.action} action`;
        const message = `User: ${user} is not authorized to perform: ${request.action} on resource: ${request.resource} ${why}`;
        throw new AwsError(code, message, code === 'AccessDeniedException' ? 400 : 403);
      }
    },
    permissions: () => current,
  };
}

/** The access key id that a request is signed with, in its header or in its address. */
export function callerOf(authorization: string | undefined, query?: URLSearchParams): string | undefined {
  return (
    /Credential=([^/]+)\//.exec(authorization ?? '')?.[1] ?? query?.get('X-Amz-Credential')?.split('/')[0] ?? undefined
  );
}

/** The condition key by which a statement allows a key's use by way of one service alone. */
export const via = (service: string) => ({ 'kms:ViaService': `${service}.${localAccount.region}.amazonaws.com` });

/** An encryption context by its condition keys. */
export function encryptionContext(context: Readonly<Record<string, string>>): Record<string, string | string[]> {
  const names = Object.keys(context);
  return {
    ...Object.fromEntries(names.map((name) => [`kms:EncryptionContext:${name}`, context[name] ?? ''])),
    ...(names.length > 0 ? { 'kms:EncryptionContextKeys': names } : {}),
  };
}
