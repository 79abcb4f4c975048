/**
 * Divides work among lanes: the largest first, each to the lane that has the least. The same work gives the same shares.
 *
 * @param tasks - numbers of tasks
 * @param workOf - of a task
 * @returns a share for each lane, largest first within it
 */
export function divideWork(tasks: readonly number[], lanes: number, workOf: (task: number) => number): number[][] {
  const shares = Array.from({ length: lanes }, () => ({ work: 0, tasks: [] as number[] }));
  const largestFirst = [...tasks].sort((one, other) => workOf(other) - workOf(one) || one - other);
  for (const task of largestFirst) {
    const least = shares.reduce((one, other) => (other.work < one.work ? other : one));
    least.work += workOf(task);
    least.tasks.push(task);
  }
  return shares.map((share) => share.tasks);
}
