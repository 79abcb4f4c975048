/** A foreign key between two tables, or of one to itself. */
export interface KeyEdge {
  child: string;
  parent: string;
  /** Whether its check can wait until the end of a transaction. */
  deferrable: boolean;
}

/** Tables that are loaded in one transaction, one after the other; most often a single one. */
export interface KeyGroup {
  tables: string[];
  /** The keys among them must be deferred. */
  isCircle: boolean;
}

export interface KeyOrder {
  /** Groups of a level need those of the levels before it, and none of their own. */
  levels: KeyGroup[][];
  /** Circles that no order and no deferring resolves. */
  circles: string[][];
}

/**
 * Orders tables so that a row's parent is there before the row, for a login under which foreign keys are checked as rows come.
 * Circles are loaded in one transaction with deferred checks, in the order of the keys that cannot be deferred.
 */
export function orderByKeys(tables: readonly string[], edges: readonly KeyEdge[]): KeyOrder {
  const present = new Set(tables);
  const among = edges.filter(({ child, parent }) => child !== parent && present.has(child) && present.has(parent));
  const parentsOf = (some: readonly KeyEdge[]): Map<string, string[]> => {
    const parents = new Map<string, string[]>();
    for (const { child, parent } of some) parents.set(child, [...(parents.get(child) ?? []), parent]);
    return parents;
  };
  const all = parentsOf(among);
  const firm = parentsOf(among.filter(({ deferrable }) => !deferrable));
  const levelOf = new Map<string, number>();
  const levels: KeyGroup[][] = [];
  const circles: string[][] = [];
  // Components come with parents first.
  for (const component of components(tables, all)) {
    const own = new Set(component);
    const outer = component.flatMap((table) => all.get(table) ?? []).filter((parent) => !own.has(parent));
    const level = Math.max(-1, ...outer.map((parent) => levelOf.get(parent) ?? 0)) + 1;
    for (const table of component) levelOf.set(table, level);
    const within = new Map(component.map((table) => [table, (firm.get(table) ?? []).filter((each) => own.has(each))]));
    const ordered = components(component, within);
    if (ordered.length < component.length) circles.push(component);
    levels[level] ??= [];
    levels[level].push({ tables: ordered.flat(), isCircle: component.length > 1 });
  }
  return { levels, circles };
}

/**
 * The strongly connected components of a graph, each after those that its members lead to (Tarjan, 1972), without recursion:
 * chains of tables may be long.
 */
function components(nodes: readonly string[], next: ReadonlyMap<string, readonly string[]>): string[][] {
  const index = new Map<string, number>();
  const low = new Map<string, number>();
  const open: string[] = [];
  const isOpen = new Set<string>();
  const found: string[][] = [];
  const enter = (node: string) => {
    index.set(node, index.size);
    low.set(node, index.get(node) ?? 0);
    open.push(node);
    isOpen.add(node);
    return { node, left: [...(next.get(node) ?? [])] };
  };
  const lower = (node: string, to: number): void => {
    low.set(node, Math.min(low.get(node) ?? 0, to));
  };
  for (const start of nodes) {
    if (index.has(start)) continue;
    const path = [enter(start)];
    for (let top = path.at(-1); top; top = path.at(-1)) {
      const to = top.left.pop();
      if (to !== undefined) {
        if (!index.has(to)) path.push(enter(to));
        else if (isOpen.has(to)) lower(top.node, index.get(to) ?? 0);
        continue;
      }
      path.pop();
      const { node } = top;
      const above = path.at(-1);
      if (above) lower(above.node, low.get(node) ?? 0);
      if (low.get(node) !== index.get(node)) continue;
      const component = open.splice(open.lastIndexOf(node));
      for (const member of component) isOpen.delete(member);
      found.push(component);
    }
  }
  return found;
}
