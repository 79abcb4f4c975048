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
    const item = itemNames[name] ?? 'member';
    const inner = Array.isArray(value)
      ? value
          .map((each) => (typeof each === 'object' ? describe(item, each) : `<${item}>${escapeXml(each)}</${item}>`))
          .join('')
      : escapeXml(String(value));
    if (typeof value === 'object' && !Array.isArray(value)) return describe(name, value);
    return `<${name}>${inner}</${name}>`;
  });
  return `<${element}>${parts.join('')}</${element}>`;
}
