import { z } from 'zod';
import type { RouteDefinition } from '../../shared/contract/define-route.ts';
import { routes } from '../../shared/contract/routes.ts';
import type { Call } from './api.ts';

/** A place of a request where a route takes text. */
export interface StringInput {
  /** Such as `createRestore body.tables.0`. */
  name: string;
  /** The route's request with a text in that place. */
  call(text: string): Call;
}

type Json = { [name: string]: Json } | Json[] | string | number | boolean | null | undefined;
/** Fields by name; `0` in a list. `*` stands for the name of a field, which is then the text itself. */
type Path = readonly string[];

interface JsonSchema {
  type?: string | string[];
  $ref?: string;
  $defs?: Record<string, JsonSchema>;
  properties?: Record<string, JsonSchema>;
  additionalProperties?: JsonSchema | boolean;
  items?: JsonSchema;
  anyOf?: JsonSchema[];
  oneOf?: JsonSchema[];
  allOf?: JsonSchema[];
}

/** Where a schema takes text, whatever it must look like. */
function textsIn(schema: JsonSchema, root: JsonSchema = schema, depth = 0): Path[] {
  if (depth > 8) return [];
  const into = (inner: JsonSchema): Path[] => textsIn(inner, root, depth + 1);
  const { $ref, properties = {}, additionalProperties, items } = schema;
  if ($ref !== undefined) return into(root.$defs?.[$ref.split('/').at(-1) ?? ''] ?? {});
  const keyed = typeof additionalProperties === 'object' ? additionalProperties : undefined;
  return [
    ...(schema.type === 'string' ? [[]] : []),
    ...Object.entries(properties).flatMap(([name, inner]) => into(inner).map((path) => [name, ...path])),
    ...(keyed ? [['*'], ...into(keyed).map((path) => ['key', ...path])] : []),
    ...(items ? into(items).map((path) => ['0', ...path]) : []),
    ...[...(schema.anyOf ?? []), ...(schema.oneOf ?? []), ...(schema.allOf ?? [])].flatMap(into),
  ];
}

function put(value: Json, [name, ...rest]: Path, text: string): Json {
  if (name === undefined) return text;
  if (name === '*') return { [text]: 'x' };
  if (name === '0') return [put(Array.isArray(value) ? value[0] : undefined, rest, text)];
  const fields = typeof value === 'object' && value !== null && !Array.isArray(value) ? value : {};
  return { ...fields, [name]: put(fields[name], rest, text) };
}

function inputsOf(route: RouteDefinition, bases: readonly string[]): StringInput[] {
  const { operationId, method, params, query, body, bodyExample } = route;
  const legal = Object.fromEntries(
    Object.entries(params?.shape ?? {}).map(([name, schema]) => [
      name,
      bases.find((base) => (schema as z.ZodType).safeParse(base).success) ?? 'x',
    ]),
  );
  const path = route.path.replace(/\{(\w+)\}/g, (_, name) => legal[name] ?? 'x');
  const example = (body ? (bodyExample ?? {}) : undefined) as Json;
  const base = { method, path, ...(example === undefined ? {} : { body: example }) };
  const inBody = body ? textsIn(z.toJSONSchema(body, { io: 'input', unrepresentable: 'any' }) as JsonSchema) : [];
  const paths = [...new Map(inBody.map((each) => [each.join('.'), each])).values()];
  return [
    ...Object.keys(legal).map((name) => ({
      name: `${operationId} path.${name}`,
      call: (text: string) => ({ ...base, raw: { pathParameters: { ...legal, [name]: text } } }),
    })),
    ...Object.keys(query?.shape ?? {}).map((name) => ({
      name: `${operationId} query.${name}`,
      call: (text: string) => ({ ...base, query: { [name]: text } }),
    })),
    ...paths.map((each) => ({
      name: `${operationId} body.${each.join('.')}`,
      call: (text: string) => ({ ...base, body: put(example, each, text) }),
    })),
  ];
}

/**
 * Every place of every route where it takes text.
 *
 * @param bases - what path parameters may be while another place has the text: the first that a parameter's schema takes
 */
export function stringInputs(bases: readonly string[]): StringInput[] {
  return (routes as readonly RouteDefinition[]).flatMap((route) => inputsOf(route, bases));
}
