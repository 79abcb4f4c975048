import type pg from 'pg';
import * as z from 'zod';
import { quoteIdentifier, quoteLiteral } from '../../postgres/identifiers.ts';
import { subscriptionsSql } from './subscriptions.sql.ts';

const subscriptionSchema = z.object({
  name: z.string(),
  slot: z.string().nullable(),
  publications: z.array(z.string()),
  superuser: z.boolean(),
});

/**
 * Names the subscriptions that a backup does not hold, with the statement that makes each again. pg_dump tells of them to superusers
 * alone; the WebAssembly one does not know who is one, and tells nobody.
 *
 * @param client - a session in the snapshot
 * @returns warnings, one for each
 */
export async function subscriptionWarnings(
  client: pg.Client,
  { nativePgDump }: { nativePgDump: boolean },
): Promise<string[]> {
  const found = z.array(subscriptionSchema).parse((await client.query(subscriptionsSql)).rows);
  return found
    .filter(({ superuser }) => !(nativePgDump && superuser))
    .map(({ name, slot, publications }) => {
      const named = publications.map(quoteIdentifier).join(', ');
      const slotName = slot === null ? 'NONE' : quoteLiteral(slot);
      const statement = `CREATE SUBSCRIPTION ${quoteIdentifier(name)} CONNECTION '...' PUBLICATION ${named} WITH (connect = false, slot_name = ${slotName})`;
      return `Subscription "${name}" is not in the backup. In the restored database make it again, with its connection: ${statement}`;
    });
}
