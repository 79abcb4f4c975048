import { existsSync, readFileSync } from 'node:fs';
import type { QueryOperation } from '../query-service.ts';
import { escapeXml } from '../xml.ts';
import { describe, page } from './describe.ts';
import { find, type RdsStore } from './state.ts';

const SERVER_LOG = 'error/postgres.log';
/** As AWS gives at most at a time. */
const PORTION_BYTES = 1024 * 1024;

/** The log of the server behind an instance, and what AWS writes beside it, such as the findings before an upgrade. */
export function logFileOperations({ value, serverOf }: RdsStore): Record<string, QueryOperation> {
  const filesOf = (form: URLSearchParams): Record<string, string> => {
    const id = form.get('DBInstanceIdentifier') ?? '';
    find('DBInstance', value.instances, id);
    const log = serverOf(id)?.log;
    const own = log !== undefined && existsSync(log) ? { [SERVER_LOG]: readFileSync(log, 'utf8') } : {};
    return { ...own, ...value.logFiles[id] };
  };
  return {
    DescribeDBLogFiles: (form) => {
      const files = Object.entries(filesOf(form)).map(([LogFileName, text]) =>
        describe('DescribeDBLogFilesDetails', { LogFileName, LastWritten: Date.now(), Size: Buffer.byteLength(text) }),
      );
      return page('DescribeDBLogFiles', files, form);
    },
    DownloadDBLogFilePortion: (form) => {
      const text = find('DBLogFile', filesOf(form), form.get('LogFileName'));
      const bytes = Buffer.from(text);
      const from = Number(form.get('Marker') ?? 0);
      const portion = bytes.subarray(from, from + PORTION_BYTES);
      const to = from + portion.length;
      return `<LogFileData>${escapeXml(portion.toString('utf8'))}</LogFileData><Marker>${to}</Marker><AdditionalDataPending>${to < bytes.length}</AdditionalDataPending>`;
    },
    DescribeEvents: (form) => {
      const id = form.get('SourceIdentifier');
      const found = value.events.filter(({ SourceIdentifier }) => id === null || SourceIdentifier === id);
      return page(
        'Events',
        found.map((each) => describe('Event', each)),
        form,
      );
    },
  };
}
