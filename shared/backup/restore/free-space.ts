import type { FreeSpace } from '../../platforms/platform.ts';
import type { Manifest } from '../manifest.ts';
import type { Finding } from './findings.ts';

export type ReadFreeSpace = () => Promise<FreeSpace>;

export const spaceUnknown: ReadFreeSpace = async () => ({
  is: 'unknown',
  reason: 'A server does not say how much disk space is free',
});

/** What a row takes beside its values: a pointer of 4 bytes and a header of 23, filled up to 24 (Database Page Layout). */
const BYTES_PER_ROW = 28;

/** With indexes, and with the write-ahead log until it is used again, a restore takes about so many times its rows. */
const WITH_INDEXES = 2;

/**
 * Holds what a restore needs against the disk that is free. The rows' text is what the manifest knows; how much a server makes of
 * it is an estimate, as long values are compressed. But it compresses them less than the backup does: a disk with less room than
 * the backup has bytes is too small in any case.
 */
export function checkFreeSpace(
  { tables, totals, large_objects: { chunks } }: Pick<Manifest, 'tables' | 'totals' | 'large_objects'>,
  space: FreeSpace,
  problems: Finding[],
  warnings: Finding[],
): void {
  if (space.is === 'growing') return;
  const needed = WITH_INDEXES * (totals.bytes + BYTES_PER_ROW * totals.rows);
  const stored = [...tables.flatMap((table) => table.chunks), ...chunks];
  const least = stored.reduce((sum, { stored_bytes: bytes }) => sum + bytes, 0);
  const estimate = `the rows are ${totals.bytes} bytes of text, and with indexes about ${needed} bytes of disk may be needed`;
  if (space.is === 'unknown') {
    warnings.push({
      code: 'free_space_unknown',
      message: `${space.reason}; ${estimate}`,
      nextStep: "Compare it with the server's free storage.",
    });
  } else if (space.bytes < least) {
    problems.push({
      code: 'disk_too_small',
      message: `The server has ${space.bytes} bytes of disk free; the rows take ${least} bytes even compressed as in the backup: ${estimate}`,
      nextStep: 'Add storage to the instance, or restore less of the backup.',
    });
  } else if (space.bytes < needed) {
    warnings.push({
      code: 'disk_may_be_small',
      message: `The server has ${space.bytes} bytes of disk free; ${estimate}`,
      nextStep: 'Add storage to the instance, unless long values are compressed well.',
    });
  }
}
