import { escapeXml } from '../xml.ts';
import type { Described } from './state.ts';

/** The elements of lists, where they are not `member`. */
const itemNames: Readonly<Record<string, string>> = {
  DBParameterGroups: 'DBParameterGroup',
  DBClusterMembers: 'DBClusterMember',
  VpcSecurityGroups: 'VpcSecurityGroupMembership',
};

/** As the API writes it. */
export function describe(element: string, described: Described): string {
  const parts = Object.entries(described).map(([name, value]) => {
    if (Array.isArray(value)) {
      const item = itemNames[name] ?? 'member';
      const inner = value.map((each) =>
        typeof each === 'object' ? describe(item, each) : `<${item}>${escapeXml(each)}</${item}>`,
      );
      return `<${name}>${inner.join('')}</${name}>`;
    }
    if (typeof value === 'object') return describe(name, value);
    return `<${name}>${escapeXml(String(value))}</${name}>`;
  });
  return `<${element}>${parts.join('')}</${element}>`;
}

/** A page of a list: AWS gives a hundred at a time. */
export function page(list: string, items: readonly string[], form: URLSearchParams): string {
  const size = Number(form.get('MaxRecords') ?? 100);
  const from = Number(form.get('Marker') ?? 0);
  const marker = from + size < items.length ? `<Marker>${from + size}</Marker>` : '';
  return `<${list}>${items.slice(from, from + size).join('')}</${list}>${marker}`;
}
