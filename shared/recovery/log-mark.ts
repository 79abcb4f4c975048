import { extendLog } from '../changes/capture/end-of-log.ts';
import type { ConnectionTarget } from '../postgres/connect.ts';
import { withConnection } from '../postgres/with-connection.ts';

const TIMEOUT_MS = 10_000;
/** Five seconds. */
const LOOKS = 50;

/**
 * Has the server's log go on though nobody writes, so that there is something to capture; see {@link extendLog}.
 *
 * @throws OperationError of the connection
 */
export async function markLog(target: ConnectionTarget): Promise<void> {
  await withConnection(target, { kind: 'administering', statementTimeoutMs: TIMEOUT_MS }, (client) =>
    extendLog(client, LOOKS),
  );
}
