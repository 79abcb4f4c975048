import { sesClient } from '../shared/aws/clients.ts';
import { createLogger } from '../shared/http/log.ts';
import { mailReport } from '../shared/security/compliance/mail.ts';
import { reportCompliance } from '../shared/security/compliance/report.ts';
import { configuration, readDependencies } from './compliance/dependencies.ts';

const logger = createLogger('check-compliance');

/** The longest time of one database. */
const REPORT_MS = 60_000;

/**
 * Judges every configured database by the rules of compliance and mails the reports; a schedule calls it weekly. One database that
 * fails does not hold up the others.
 *
 * @throws Error naming the databases that failed
 */
export async function handler(): Promise<Record<string, number>> {
  const scores: Record<string, number> = {};
  const failed: string[] = [];
  for (const database of configuration.databases) {
    try {
      const report = await reportCompliance(database, readDependencies(database, AbortSignal.timeout(REPORT_MS)));
      scores[database.id] = report.score;
      await mailReport(report, { ses: sesClient(), configuration });
    } catch (error) {
      failed.push(database.id);
      logger.error('Compliance could not be reported', { database: database.id, error });
    }
  }
  if (failed.length > 0) throw new Error(`Compliance was not reported: ${failed.join(', ')}; the log says why`);
  return scores;
}
