/** A logical replication slot, as an upgrade looks at it. */
export type LogicalSlot = {
  readonly name: string;
  readonly database: string;
  /** Whether everything before now was consumed. */
  readonly isConsumed: boolean;
};

/** The server that an instance stands for: what is done to the instance is done to it. */
export type AttachedServer = {
  /** What the parameter group says: what is dynamic takes effect at once, the rest with a restart. */
  setParameters(parameters: Readonly<Record<string, string>>): Promise<void>;
  /** Of Aurora: which member of its cluster it is. */
  setPlace(place: { instance: string; members: Readonly<Record<string, boolean>> }): Promise<void>;
  restart(): Promise<void>;
  logicalSlots(): Promise<LogicalSlot[]>;
  /**
   * Becomes a server of another major version with the same data, the parameters that were set last, and no replication slots, at the same
   * address. Absent: the description alone changes, and the server restarts.
   */
  upgrade?(major: number): Promise<void>;
  /** Path of its log. */
  readonly log: string;
};
