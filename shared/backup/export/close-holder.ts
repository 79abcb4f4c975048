import { setTimeout } from 'node:timers/promises';
import type pg from 'pg';

/** A holder whose server is gone would wait for its goodbye; a second is enough. */
export async function closeHolder(holder: pg.Client | undefined): Promise<void> {
  if (!holder) return;
  await Promise.race([holder.end().catch(() => undefined), setTimeout(1000, undefined, { ref: false })]);
}
