interface MapDifference {
  name: string;
  kind: 'only in the first' | 'only in the second' | 'differs';
  /** For `differs`, the two values from where they part; otherwise nothing. */
  values: string;
}

/** How far two values are shown from where they part, in characters. */
const SHOWN = 160;

/** What differs between two lists of named values, in the order of the names. */
export function mapDifferences(
  first: ReadonlyMap<string, string>,
  second: ReadonlyMap<string, string>,
): MapDifference[] {
  const names = [...new Set([...first.keys(), ...second.keys()])].sort();
  return names.flatMap((name): MapDifference[] => {
    const [one, other] = [first.get(name), second.get(name)];
    if (one === other) return [];
    if (other === undefined) return [{ name, kind: 'only in the first', values: '' }];
    if (one === undefined) return [{ name, kind: 'only in the second', values: '' }];
    let part = 0;
    while (one[part] === other[part]) part += 1;
    const from = Math.max(0, part - 40);
    const shown = (value: string): string => JSON.stringify(value.slice(from, part + SHOWN));
    return [{ name, kind: 'differs', values: `: ${shown(one)} in the first, ${shown(other)} in the second` }];
  });
}
