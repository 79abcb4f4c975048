import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Synthesized } from './synthesize.ts';

interface RawTemplate {
  Resources: Record<string, { DependsOn?: string | string[] }>;
}

/**
 * Circles of resources within a stack, which CloudFormation refuses when it is too late: synthesis does not see one that goes by a
 * reference and by `DependsOn`.
 */
export function circlesIn({ assembly, folder }: Pick<Synthesized, 'assembly' | 'folder'>): string[] {
  return assembly.stacks.flatMap(({ name }) => {
    const { Resources } = JSON.parse(readFileSync(join(folder, `${name}.template.json`), 'utf8')) as RawTemplate;
    const needs = new Map(
      Object.entries(Resources).map(([id, resource]) => {
        const { DependsOn = [] } = resource;
        const named = [...referencesIn(resource), ...[DependsOn].flat()];
        return [id, new Set(named.filter((other) => other in Resources))];
      }),
    );
    // What needs nothing that is left can be made; what is left in the end stands in a circle, or behind one.
    for (let made = -1; made !== needs.size; ) {
      made = needs.size;
      for (const [id, others] of needs) if (![...others].some((other) => needs.has(other))) needs.delete(id);
    }
    return [...needs.keys()].map((id) => `${name}/${id}`);
  });
}

function referencesIn(value: unknown): string[] {
  if (Array.isArray(value)) return value.flatMap(referencesIn);
  if (typeof value !== 'object' || value === null) return [];
  return Object.entries(value).flatMap(([key, inner]) => {
    if (key === 'Ref') return [String(inner)];
    if (key === 'Fn::GetAtt') return [String([inner].flat()[0]).split('.')[0] ?? ''];
    if (key === 'Fn::Sub') return [...String([inner].flat()[0]).matchAll(/\$\{(\w+)/g)].map(([, id = '']) => id);
    return referencesIn(inner);
  });
}
