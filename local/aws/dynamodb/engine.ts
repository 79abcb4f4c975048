import { mkdir } from 'node:fs/promises';
import { createRequire } from 'node:module';
import database, { type DynaliteStore } from 'dynalite/db/index.js';
import validations, { type Validation } from 'dynalite/validations/index.js';
import type { StateDisk } from '../../state-disk.ts';
import { localAccount } from '../account.ts';
import { AwsError } from '../errors.ts';

const require = createRequire(import.meta.url);

type Action = (store: DynaliteStore, input: object, done: (error: unknown, answer: Answer) => void) => void;

/** The JSON answer of an operation. */
export type Answer = Record<string, unknown>;

const operations = [
  'BatchGetItem',
  'BatchWriteItem',
  'CreateTable',
  'DeleteItem',
  'DeleteTable',
  'DescribeTable',
  'GetItem',
  'ListTables',
  'PutItem',
  'Query',
  'Scan',
  'TagResource',
  'UntagResource',
  'ListTagsOfResource',
  'UpdateItem',
  'UpdateTable',
] as const;

export type EngineOperation = (typeof operations)[number];

export type Engine = {
  operations: readonly EngineOperation[];
  /** @throws AwsError as DynamoDB answers it. */
  call(operation: EngineOperation, input: object): Promise<Answer>;
  close(): Promise<void>;
};

/**
 * dynalite without its HTTP server: called directly, so that transactions can be built of its operations, and so that an
 * error it did not expect becomes an answer instead of ending the process.
 */
export async function openEngine(folder: string, disk: StateDisk): Promise<Engine> {
  await mkdir(folder, { recursive: true, mode: 0o700 });
  const store = database.create({ path: folder, createTableMs: 0, deleteTableMs: 0, updateTableMs: 0 });
  try {
    await store.db.open();
  } catch (error) {
    throw new Error(`The local DynamoDB state in ${folder} cannot be opened; another process may be using it`, {
      cause: error,
    });
  }
  store.tableDb.awsAccountId = localAccount.accountId;
  store.tableDb.awsRegion = localAccount.region;
  const actions = new Map<string, { run: Action; validation: Validation }>();
  for (const operation of operations) {
    const file = validations.toLowerFirst(operation);
    actions.set(operation, {
      run: require(`dynalite/actions/${file}`),
      validation: require(`dynalite/validations/${file}`),
    });
  }

  return {
    operations,
    call: (operation, input) =>
      disk.written(
        new Promise((resolve, reject) => {
          const action = actions.get(operation);
          if (!action) throw new AwsError('UnknownOperationException', `The local DynamoDB has no ${operation}`);
          const { run, validation } = action;
          try {
            const checked = validations.checkTypes(structuredClone(input), validation.types);
            validations.checkValidations(checked, validation.types, validation.custom, store);
            run(store, checked, (error, answer) => (error ? reject(asAnswered(error)) : resolve(answer ?? {})));
          } catch (error) {
            reject(asAnswered(error));
          }
        }),
      ),
    close: () => new Promise((resolve, reject) => store.db.close((error) => (error ? reject(error) : resolve()))),
  };
}

function asAnswered(error: unknown): unknown {
  const { statusCode, body } = error as {
    statusCode?: number;
    body?: { __type?: string; message?: string; Message?: string };
  };
  if (statusCode === undefined || body === undefined) return error;
  return new AwsError(
    body.__type?.replace(/^.*#/, '') ?? 'InternalFailure',
    body.message ?? body.Message ?? '',
    statusCode,
  );
}
