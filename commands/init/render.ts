/**
 * The module with a configuration, formatted as the project's own are.
 *
 * @param schema - path of infra/config/schema.ts as the module is to import it
 */
export function renderModule(configuration: unknown, schema: string): string {
  return `import type { DeploymentInput } from '${schema}';

/**
 * Written by \`npm run init\`. infra/config/example.ts explains what else can be said here; all that is left out has the default of
 * infra/config/schema.ts. Check that it can be deployed with \`DEPLOYMENT=<this file> npm run synth\`.
 */
const deployment: DeploymentInput = ${render(configuration, '')};

export default deployment;
`;
}

const LINE = 120;

function render(value: unknown, indentation: string): string {
  if (Array.isArray(value)) {
    const short = `[${value.map((each) => render(each, indentation)).join(', ')}]`;
    const isPlain = value.every((each) => typeof each !== 'object');
    if (isPlain && indentation.length + short.length < LINE - 30) return short;
    return block(
      '[',
      ']',
      value.map((each) => render(each, `${indentation}  `)),
      indentation,
    );
  }
  if (value !== null && typeof value === 'object') {
    const fields = Object.entries(value).map(([name, each]) => `${name}: ${render(each, `${indentation}  `)}`);
    return block('{', '}', fields, indentation);
  }
  if (typeof value === 'string') return quote(value);
  return JSON.stringify(value);
}

function block(open: string, close: string, items: string[], indentation: string): string {
  return `${open}\n${items.map((item) => `${indentation}  ${item},\n`).join('')}${indentation}${close}`;
}

function quote(text: string): string {
  if (text.includes('\n')) return `\`${text.replaceAll(/[\\`$]/g, '\\$&')}\``;
  const escaped = JSON.stringify(text).slice(1, -1).replaceAll('\\"', '"');
  return `'${escaped.replaceAll("'", "\\'")}'`;
}
