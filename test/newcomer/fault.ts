/** Something that is wrong in the first minutes, as it meets a newcomer. */
export interface Fault {
  /** For the table and the test's name. */
  readonly name: string;
  /** Makes it, in a folder of its own in which the command runs. */
  arrange(folder: string): Arranged | Promise<Arranged>;
}

export interface Arranged {
  /** After `npm start --`. */
  readonly options: readonly string[];
  readonly environment?: Readonly<Record<string, string>>;
  readonly exitCode: number;
  /** What the message says: the cause and the hint. */
  readonly says: readonly RegExp[];
  /** Must not be seen in what is printed. */
  readonly secret?: string;
  /** Ends what was made for it. */
  close?(): unknown;
}

/** What became of it. */
export interface Outcome {
  readonly seconds: number;
  readonly exitCode: number | null;
  readonly printed: string;
  /** Processes that are still there after the command has ended. */
  readonly left: readonly string[];
}
