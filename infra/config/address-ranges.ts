/** Whether ranges keep nobody out, so that a policy with them would say nothing. */
export const isEverywhere = (ranges: readonly string[]): boolean => ranges.some((range) => range.endsWith('/0'));
