/** From 14 on, a condition on ctid reads just the pages in range (TID range scan); before, each would read the whole table. */
const TID_RANGE_SCAN_VERSION = 140_000;

export const readsRanges = (serverVersion: number): boolean => serverVersion >= TID_RANGE_SCAN_VERSION;

/**
 * How pages are read where the server does not read ranges of them: every place that a row can have in them is named. It takes
 * about five times as long as reading the table whole, and the server keeps the list in its memory.
 */
export interface NamedPlaces {
  /** Pages of the table. */
  pages: number;
  /** Rows that a page can have at most. */
  rowsPerPage: number;
}

/** Of so many pages the list of places takes some 50 MB. */
export const MOST_NAMED_PAGES = 4096;

/** Header of a page, and what the smallest row takes with its line pointer (`MaxHeapTuplesPerPage`). */
const PAGE_HEADER_BYTES = 24;
const LEAST_ROW_BYTES = 28;

export const rowsPerPage = (blockSize: number): number => Math.floor((blockSize - PAGE_HEADER_BYTES) / LEAST_ROW_BYTES);

/**
 * Conditions on a row's place, all of which hold for rows of these pages alone.
 *
 * @param fromPage - inclusive; null from the start
 * @param toPage - not included; null to the end
 * @param ctid - the column, with its table's name where there are several
 */
export function pageConditions(
  fromPage: number | null,
  toPage: number | null,
  ctid: string,
  places: NamedPlaces | null = null,
): string[] {
  if (places) {
    const last = (toPage ?? places.pages) - 1;
    return [
      `${ctid} = ANY (ARRAY(
         SELECT pg_catalog.format('(%s,%s)', page, line)::pg_catalog.tid
           FROM pg_catalog.generate_series(${fromPage ?? 0}::int8, ${last}::int8) AS page,
                pg_catalog.generate_series(1, ${places.rowsPerPage}) AS line))`,
    ];
  }
  return [
    ...(fromPage === null ? [] : [`${ctid} >= '(${fromPage},0)'::pg_catalog.tid`]),
    ...(toPage === null ? [] : [`${ctid} < '(${toPage},0)'::pg_catalog.tid`]),
  ];
}
