import type { Database } from '../../configuration/runtime.ts';
import { type Compliance, frameworkSchema, type Waiver } from '../../contract/schemas/compliance.ts';
import { frameworks } from './controls.ts';
import { judge } from './judge.ts';
import { type ReadDependencies, readSections } from './readings/read-sections.ts';
import type { Readings } from './readings/sections.ts';
import { rules } from './registry.ts';
import { latestRuns, type Run, recordRun } from './runs.ts';
import { countsOf, scoreOf } from './score.ts';
import { holds, readWaivers } from './waivers.ts';

type Result = Compliance['rules'][number];

/**
 * Reads everything, judges every rule and keeps the run.
 *
 * @returns the report; what could not be read of the server or AWS is in it as `unknown`
 * @throws the SDK's errors, when the State table cannot be used
 */
export async function reportCompliance(
  database: Database,
  dependencies: ReadDependencies,
  now = Date.now(),
): Promise<Compliance> {
  const { table } = dependencies;
  const [readings, waivers] = await Promise.all([
    readSections(database, dependencies, now),
    readWaivers(table, database.id),
  ]);
  const results = judgeAll(readings, waivers, { now, database });
  const run: Run = {
    at: new Date(now).toISOString(),
    score: scoreOf(results),
    counts: countsOf(results),
    failed: results.filter(({ status }) => status === 'fail').map(({ id }) => id),
  };
  await recordRun(table, database.id, run);
  const earlier = (await latestRuns(table, database.id)).filter(({ at }) => at.slice(0, 10) !== run.at.slice(0, 10));
  return {
    database: database.id,
    at: run.at,
    score: run.score,
    counts: run.counts,
    rules: results,
    trend: [run, ...earlier],
    sources: frameworkSchema.options.map((framework) => ({ framework, ...frameworks[framework] })),
  };
}

/** Every rule's result. A waiver turns what fails, or cannot be read, into `waived`. */
export function judgeAll(
  readings: Readings,
  waivers: Readonly<Record<string, Waiver>>,
  context: { now: number; database: Database },
): Result[] {
  return rules.map(({ theme, rule }) => {
    const judgement = judge(rule, readings, context);
    const waiver = waivers[rule.id];
    const holding = waiver && holds(waiver, context.now) ? waiver : null;
    const isWaived = holding !== null && (judgement.status === 'fail' || judgement.status === 'unknown');
    return {
      id: rule.id,
      theme,
      title: rule.title,
      level: rule.level,
      status: isWaived ? ('waived' as const) : judgement.status,
      found: judgement.found,
      expected: rule.expected,
      mend: judgement.status === 'fail' ? judgement.mend : [],
      controls: frameworkSchema.options.flatMap((framework) => {
        const ids = rule.controls[framework];
        return ids ? [{ framework, ids: [...ids] }] : [];
      }),
      waiver: holding,
    };
  });
}
