import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import type { RouteDefinition } from '../../shared/contract/define-route.ts';
import { roleIncludes, roleSchema } from '../../shared/contract/roles.ts';
import { basePath, routes } from '../../shared/contract/routes.ts';

const path = join(import.meta.dirname, '../../docs/access.md');

function tableOfRoutes(): string {
  const roles = roleSchema.options;
  const rows = (routes as readonly RouteDefinition[]).map(({ method, path, leastRole, summary }) => {
    const marks = roles.map((role) => (leastRole === 'public' || roleIncludes([role], leastRole) ? '✓' : ''));
    return ['', `\`${method} ${path.slice(1)}\``, leastRole, ...marks, summary, ''].join(' | ').trim();
  });
  return [
    `Below \`${basePath}/\`:`,
    '',
    `| route | required role | ${roles.join(' | ')} | |`,
    `|---|---|${roles.map(() => '---|').join('')}---|`,
    ...rows,
  ].join('\n');
}

/** `npx vitest run --update test/docs/access.test.ts` writes the table anew. */
test('docs/access.md has the table of the routes as the contract has them', async () => {
  const text = readFileSync(path, 'utf8');
  const expected = text.replace(
    /(<!-- routes -->\n).*(<!-- \/routes -->)/s,
    (_, begin: string, end: string) => `${begin}${tableOfRoutes()}\n${end}`,
  );
  expect(expected).toContain(tableOfRoutes());
  await expect(expected).toMatchFileSnapshot(path);
});
