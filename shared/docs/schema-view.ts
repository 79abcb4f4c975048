import { type Html, html, inline } from './html.ts';

/** A JSON schema, as far as it is shown. */
export interface SchemaView {
  $ref?: string;
  type?: string | string[];
  format?: string;
  description?: string;
  properties?: Readonly<Record<string, SchemaView>>;
  required?: readonly string[];
  items?: SchemaView;
  anyOf?: readonly SchemaView[];
  oneOf?: readonly SchemaView[];
  allOf?: readonly SchemaView[];
  enum?: readonly unknown[];
  const?: unknown;
  default?: unknown;
  minimum?: number;
  maximum?: number;
  minLength?: number;
  maxLength?: number;
  pattern?: string;
}

const nameOf = (ref: string): string => ref.slice(ref.lastIndexOf('/') + 1);

/** A schema's type in a few words, with links to the named ones. */
export function typeText(schema: SchemaView): Html {
  if (schema.$ref) {
    const name = nameOf(schema.$ref);
    return html`<a href="#schema-${name}">${name}</a>`;
  }
  const [only] = schema.allOf ?? [];
  if (only) return typeText(only);
  const choices = schema.anyOf ?? schema.oneOf;
  if (choices) return html`${choices.map((choice, index) => html`${index > 0 && ' or '}${typeText(choice)}`)}`;
  if (schema.const !== undefined) return html`<code>${JSON.stringify(schema.const)}</code>`;
  if (schema.enum)
    return html`${schema.enum.map((value, index) => html`${index > 0 && ', '}<code>${JSON.stringify(value)}</code>`)}`;
  if (schema.type === 'array' && schema.items) return html`list of ${typeText(schema.items)}`;
  const type = [schema.type ?? 'any'].flat().join(' or ');
  return html`${schema.format && !['int32', 'int64'].includes(schema.format) ? `${type} (${schema.format})` : type}`;
}

function limitsText(schema: SchemaView): string {
  const unbounded = (bound: number | undefined): bound is undefined =>
    bound === undefined || Math.abs(bound) >= Number.MAX_SAFE_INTEGER;
  const range = (low: number | undefined, high: number | undefined, unit: string): string[] => {
    if (unbounded(low) && unbounded(high)) return [];
    if (unbounded(high)) return [`at least ${low}${unit}`];
    return [unbounded(low) ? `at most ${high}${unit}` : `${low} to ${high}${unit}`];
  };
  return [
    ...range(schema.minimum, schema.maximum, ''),
    ...range(schema.minLength, schema.maxLength, ' characters'),
    ...(schema.default === undefined ? [] : [`default \`${JSON.stringify(schema.default)}\``]),
    ...(schema.pattern && !schema.format ? [`pattern \`${schema.pattern}\``] : []),
  ].join('; ');
}

export interface FieldView {
  name: string;
  schema: SchemaView;
  required: boolean;
  note?: string | undefined;
}

/** The fields of an object; those of an unnamed object inside it follow with its name before theirs. */
export function fieldsOf({ properties = {}, required = [] }: SchemaView, prefix = ''): FieldView[] {
  return Object.entries(properties).flatMap(([name, schema]) => [
    { name: prefix + name, schema, required: required.includes(name) },
    ...fieldsOf(schema, `${prefix}${name}.`),
    ...(schema.items ? fieldsOf(schema.items, `${prefix}${name}[].`) : []),
  ]);
}

export function fieldTable(caption: string, fields: readonly FieldView[]): Html {
  return html`<div class="scroll" tabindex="0" role="region" aria-label="${caption}"><table><caption>${caption}</caption>
<thead><tr><th scope="col">Name</th><th scope="col">Type</th><th scope="col">Meaning</th></tr></thead><tbody>
${fields.map(({ name, schema, required, note }) => {
  const choice = schema.anyOf?.find(({ type }) => type !== 'null') ?? schema;
  const limits = limitsText({ ...choice, ...(schema.default === undefined ? {} : { default: schema.default }) });
  return html`<tr><th scope="row"><code>${name}</code>${required && html` <small class="required">required</small>`}</th>
<td>${typeText(schema)}</td><td>${inline(note ?? schema.description)}${limits !== '' && html` <small>${inline(limits)}</small>`}</td></tr>
`;
})}</tbody></table></div>`;
}
