/** dynalite, and the parts of it that are called below its HTTP server; it ships no types. */
declare module 'dynalite/db/index.js' {
  export type DynaliteStore = {
    tableDb: { awsAccountId: string; awsRegion: string };
    db: { open(): Promise<void>; close(done: (error: Error | null) => void): void };
  };
  const database: {
    create(options: {
      path?: string;
      createTableMs?: number;
      deleteTableMs?: number;
      updateTableMs?: number;
    }): DynaliteStore;
  };
  export default database;
}

declare module 'dynalite/validations/index.js' {
  import type { DynaliteStore } from 'dynalite/db/index.js';
  export type Validation = { types: object; custom?: unknown };
  const validations: {
    checkTypes(input: object, types: object): object;
    checkValidations(input: object, types: object, custom: unknown, store: DynaliteStore): void;
    toLowerFirst(name: string): string;
  };
  export default validations;
}

declare module 'dynalite' {
  import type { Server } from 'node:http';
  export default function dynalite(options: { createTableMs?: number }): Server;
}
