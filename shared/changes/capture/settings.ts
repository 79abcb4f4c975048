/** Bounds of one run. */
export interface CaptureSettings {
  compressionLevel: number;
  /** A segment ends with the first commit after this many bytes of lines. */
  segmentBytes: number;
  /** Lines that the server decodes at a time: unless they are streamed, it keeps them, on disk where they are many. A transaction is never cut. */
  linesPerRead: number;
  /** With more log than this to decode, lines are streamed over the replication protocol, and the server keeps none. */
  streamAfterBytes: number;
  /** Compressed bytes of a segment that are held in memory; a transaction that needs more is decoded again and streamed. */
  mostHeldBytes: number;
  /** The run begins no further read after this time, in milliseconds. */
  timeMs: number;
  /**
   * Log without any change of this database is passed over, with an empty segment, when it is at least this much. With 0, a
   * segment is written also where the server has written no log at all.
   */
  emptyAfterBytes: number;
}

export const captureDefaults: CaptureSettings = {
  compressionLevel: 1,
  segmentBytes: 67_108_864,
  linesPerRead: 1_000_000,
  // Above what an idle server of RDS writes between two empty segments: a log file of 64 MB every five minutes.
  streamAfterBytes: 160 * 1_048_576,
  mostHeldBytes: 67_108_864,
  timeMs: 45_000,
  emptyAfterBytes: 16_777_216,
};
