/**
 * Divides a graph into its strongly connected components: those whose members can be reached from each other. A component comes after
 * every other one that it points to (Tarjan, 1972).
 *
 * @param next - what a member points to; what is not among `members` is passed over
 */
export function componentsOf(members: readonly number[], next: (member: number) => Iterable<number>): number[][] {
  const known = new Set(members);
  const found: number[][] = [];
  const order = new Map<number, number>();
  const lowest = new Map<number, number>();
  const open: number[] = [];
  const isOpen = new Set<number>();
  // A stack of its own: a chain of tables may be longer than the engine's.
  for (const start of members) {
    if (order.has(start)) continue;
    const path = [enter(start)];
    for (let current = path.at(-1); current; current = path.at(-1)) {
      const { value, done } = current.rest.next();
      if (!done) {
        if (!known.has(value)) continue;
        if (!order.has(value)) path.push(enter(value));
        else if (isOpen.has(value)) lower(current.member, order.get(value));
        continue;
      }
      path.pop();
      const above = path.at(-1);
      if (above) lower(above.member, lowest.get(current.member));
      if (lowest.get(current.member) === order.get(current.member)) found.push(close(current.member));
    }
  }
  return found;

  function enter(member: number): { member: number; rest: Iterator<number> } {
    lowest.set(member, order.size);
    order.set(member, order.size);
    open.push(member);
    isOpen.add(member);
    return { member, rest: next(member)[Symbol.iterator]() };
  }
  function lower(member: number, to = Number.POSITIVE_INFINITY): void {
    lowest.set(member, Math.min(lowest.get(member) ?? to, to));
  }
  function close(root: number): number[] {
    const component = open.splice(open.indexOf(root));
    for (const member of component) isOpen.delete(member);
    return component;
  }
}
