import * as z from 'zod';

/** What Lambda keeps for functions that reserve nothing: of an account with less than that, nothing can be reserved. */
export const UNRESERVED = 100;
/** The smallest number of workers with which a distributed backup works: two keep its snapshot, one exports. */
const LEAST_EXPORTS = 3;
/** More jobs at the same time get little more done: each works on a server of its own at best. */
const MOST_JOBS = 50;

/** How the account's concurrent executions are shared; see docs/concurrency.md. */
export const concurrencySchema = z.strictObject({
  /** The account's quota in this region. A new account has 10; `npm run check-account` reads it. */
  quota: z.int().min(10).max(1_000_000).default(10),
  /** Left for what must always answer: the API and its authorizer, the sampler, the capture of changes, the audit trail. */
  kept_free: z.int().min(3).default(4),
  /** Jobs that run at the same time; the others wait. By default a third of what is not kept free. */
  jobs: z.int().min(1).max(1000).optional(),
  /** Concurrency that Lambda itself reserves, by the function's name without the prefix: others in the account cannot take it. */
  reserved: z.record(z.string(), z.int().min(1)).default({}),
});

type Concurrency = z.output<typeof concurrencySchema>;

const totalOf = (reserved: Concurrency['reserved']) => Object.values(reserved).reduce((sum, each) => sum + each, 0);

/** The part that the functions keep to. */
export function concurrencyBudget({ quota, kept_free, jobs, reserved }: Concurrency): {
  jobs: number;
  exports: number;
} {
  const shared = quota - totalOf(reserved) - kept_free;
  const running = jobs ?? Math.max(1, Math.min(MOST_JOBS, Math.floor(shared / 3)));
  return { jobs: running, exports: shared - running };
}

/** What cannot work of it: each with its path below `concurrency`, and the reason. */
export function concurrencyProblems(given: Concurrency): { path: string[]; message: string }[] {
  const { quota, kept_free, reserved } = given;
  const problems: { path: string[]; message: string }[] = [];
  const budget = concurrencyBudget(given);
  const total = totalOf(reserved);
  if (total > 0 && quota - total < UNRESERVED) {
    const most = quota - UNRESERVED;
    problems.push({
      path: ['reserved'],
      message: `comes to ${total}, but Lambda keeps ${UNRESERVED} of the quota of ${quota} unreserved: ${most > 0 ? `at most ${most} can be reserved` : 'in this account nothing can be reserved'}`,
    });
  } else if (budget.exports < LEAST_EXPORTS) {
    problems.push({
      path: [given.jobs === undefined ? 'kept_free' : 'jobs'],
      message: `leaves ${Math.max(0, budget.exports)} of the quota of ${quota} for the workers of large backups, which need ${LEAST_EXPORTS}: ${kept_free} are kept free, ${budget.jobs} are for jobs`,
    });
  }
  return problems;
}
