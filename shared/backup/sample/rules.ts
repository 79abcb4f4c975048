import { componentsOf } from './components.ts';
import type { SampledTable } from './graph.ts';

/** Tables whose foreign keys lead in a circle, so that which rows are kept is found by going from row to row. */
export interface Circle {
  members: SampledTable[];
  /** Those whose rows it decides on. */
  decides: Set<number>;
  /** Whether a percentage is taken: then what the chosen rows refer to is kept with them. If not, all rows that can be kept are. */
  isChosen: boolean;
}

/** What decides which rows of a table are kept: its own row and those that it refers to, or a circle. */
export type Rule = { table: SampledTable; circle: null } | { table: SampledTable; circle: Circle };

/**
 * Says of each sampled table how its rows are chosen; a table comes after those that its own rule needs.
 *
 * In a circle with chosen tables, these are decided on first. What else was in the circle follows them as tables outside of it do, and
 * may be a smaller circle without them.
 */
export function decideRules(tables: ReadonlyMap<number, SampledTable>): Rule[] {
  const parents = (oid: number) => (tables.get(oid)?.references ?? []).map(({ parent }) => parent);
  return componentsOf([...tables.keys()], parents).flatMap((component): Rule[] => {
    const members = component.flatMap((oid) => tables.get(oid) ?? []);
    const [table] = members;
    if (table && members.length === 1 && !parents(table.oid).includes(table.oid)) return [{ table, circle: null }];
    const chosen = members.filter((member) => member.chosen.size > 0);
    const decided = chosen.length > 0 ? chosen : members;
    const circle = { members, decides: new Set(decided.map(({ oid }) => oid)), isChosen: chosen.length > 0 };
    const others = members.filter(({ oid }) => !circle.decides.has(oid));
    return [
      ...decided.map((each) => ({ table: each, circle })),
      ...decideRules(new Map(others.map((each) => [each.oid, each]))),
    ];
  });
}
