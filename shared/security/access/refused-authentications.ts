import { UpdateCommand } from '@aws-sdk/lib-dynamodb';
import { networkOf } from '../../access/address.ts';
import { type StateTable, stateKeys } from '../../state/table.ts';
import { printable } from '../../text/printable.ts';
import type { Auditor } from '../audit/auditor.ts';

const MINUTE_MS = 60_000;
/** Addresses that have records of their own in a minute; what all others do is in records without an address. */
const MAX_ADDRESSES = 20;
/** Minutes that one process counts at the same time; its clock may go back. */
const MAX_MINUTES = 3;
/** Addresses that one process counts in a minute. */
const MAX_COUNTED = 1000;

/** What begins the keys of the counters. */
export const REFUSED_PREFIX = 'REFUSED#';
/** The counter of all addresses. */
const EVERYBODY = '*';

export interface RefusedAuthentication {
  address: string;
  /** `refused`: by its token (401). `denied`: by its address, or for want of a role (403). */
  outcome: string;
  reason: string;
  /** As the token says. */
  subject: string | null;
  /** Whether its signature was verified, so that `subject` is no mere claim. */
  isVerified: boolean;
  requestId: string | null;
}

export interface RefusalDependencies {
  auditor: Pick<Auditor, 'happened'>;
  state: StateTable;
  now?: () => number;
}

/**
 * Records refused authentications in the audit trail. An anonymous caller can cause as many as they like, so what is written of one address
 * (of IPv6: of a network of /64) in one minute is a record at the first, and at each tenfold number: 1, 10, 100, … attempts. Where many
 * addresses take part, those beyond the first {@link MAX_ADDRESSES} of a minute share their records.
 *
 * @returns records one; throws OperationError `audit_unavailable`, and the SDK's errors
 */
export function createRefusalRecorder({ auditor, state, now = Date.now }: RefusalDependencies) {
  // What this process has counted: the table is asked at tenfold numbers alone, so that a flood is no flood of writes.
  const minutes = new Map<number, Map<string, number>>();

  const countHere = (minute: number, who: string): number => {
    const counted = minutes.get(minute) ?? new Map<string, number>();
    minutes.set(minute, counted);
    for (const old of minutes.keys()) if (minutes.size > MAX_MINUTES && old !== minute) minutes.delete(old);
    const key = counted.has(who) || counted.size < MAX_COUNTED ? who : EVERYBODY;
    const count = (counted.get(key) ?? 0) + 1;
    counted.set(key, count);
    return count;
  };

  /** @returns attempts in this minute that all processes have counted together, with those of this one */
  const add = async (minute: number, who: string, attempts: number): Promise<number> => {
    const { Attributes } = await state.documents.send(
      new UpdateCommand({
        TableName: state.name,
        Key: { [stateKeys.partition]: `${REFUSED_PREFIX}${minute}`, [stateKeys.sort]: who },
        UpdateExpression: 'SET #ttl = :ttl ADD #attempts :attempts',
        ExpressionAttributeNames: { '#attempts': 'attempts', '#ttl': stateKeys.timeToLive },
        ExpressionAttributeValues: { ':attempts': attempts, ':ttl': (minute + 5) * 60 },
        ReturnValues: 'UPDATED_NEW',
      }),
    );
    return Number(Attributes?.attempts);
  };

  return async ({ address, outcome, reason, subject, isVerified, requestId }: RefusedAuthentication): Promise<void> => {
    const minute = Math.floor(now() / MINUTE_MS);
    const network = networkOf(address);
    const here = countHere(minute, network);
    if (!isTenfold(here)) return;
    const since = here === 1 ? 1 : here - here / 10;
    let attempts = await add(minute, network, since);
    let from: string | null = address;
    if (!passesTenfold(attempts - since, attempts)) return;
    const isNew = attempts === since;
    const addresses = await add(minute, EVERYBODY, isNew ? 1 : 0);
    if (addresses > MAX_ADDRESSES) {
      // One of a crowd: its records count addresses, at tenfold numbers of them.
      if (!isNew || !isTenfold(addresses)) return;
      attempts = addresses;
      from = null;
    }
    const shown = subject === null ? null : printable(subject);
    await auditor.happened(
      {
        source: 'api',
        actor: isVerified && shown !== null ? shown : 'unknown',
        operation: 'authenticate',
        database: null,
        target: null,
        address: from,
        request_id: requestId,
        request: {
          reason: printable(reason),
          minute: new Date(minute * MINUTE_MS).toISOString(),
          ...(from === null ? { addresses_at_least: attempts } : { attempts_at_least: attempts }),
          ...(isVerified ? {} : { claimed_subject: shown }),
        },
      },
      { outcome: 'refused', error: outcome === 'denied' ? 'access_denied' : 'no_valid_token' },
    );
  };
}

const isTenfold = (count: number): boolean => /^10*$/.test(String(count));
/** Whether a tenfold number lies above `before` and not above `after`. */
const passesTenfold = (before: number, after: number): boolean =>
  String(before).length < String(after).length || before === 0;
