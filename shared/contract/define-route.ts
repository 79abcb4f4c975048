import type * as z from 'zod';
import type { Role } from './roles.ts';

/** One successful answer of a route. */
export interface RouteResponse {
  readonly description: string;
  /** null: the answer has no body. */
  readonly schema: z.ZodType | null;
  /** `application/json` when absent; any other type is sent as the text that the handler returns. */
  readonly contentType?: string;
  /** Types in which the same can be had as text, when the handler says so. */
  readonly otherTypes?: readonly string[];
  /** Headers that the handler sends, with what they say. */
  readonly headers?: Readonly<Record<string, string>>;
}

/** What there is to know of a route: everything that serves, guards, documents or calls it is derived from this. */
export interface RouteDefinition {
  readonly operationId: string;
  readonly method: 'GET' | 'POST' | 'PUT' | 'DELETE';
  /** Below {@link basePath}, with parameters in braces. */
  readonly path: `/${string}`;
  /** The role that a caller needs; `public` needs no token at all. */
  readonly leastRole: Role | 'public';
  /** Name of the function (`functions/<name>.ts`) that serves it. */
  readonly servedBy: string;
  readonly tag: string;
  readonly summary: string;
  readonly description: string;
  readonly params?: z.ZodObject;
  readonly query?: z.ZodObject;
  readonly body?: z.ZodType;
  /** A request body to show in the documentation. */
  readonly bodyExample?: unknown;
  /** Successful answers by status. */
  readonly responses: Readonly<Record<number, RouteResponse>>;
  /** Statuses of refusals beyond those that follow from the definition, with their meaning. */
  readonly refusals?: Readonly<Record<number, string>>;
  /** `server`: it is about the whole server of a database, and so of all databases there. */
  readonly reach?: 'server';
  /** Whether the route takes an `Idempotency-Key` header. */
  readonly idempotent?: boolean;
  /** Whether a call is in the audit trail even while that is turned off. */
  readonly alwaysAudited?: boolean;
}

/** Path below which all routes lie, after the stage's name. */
export const basePath = '/api/database';

/**
 * Names a route and keeps its exact types, so that its handler's input and output follow from it.
 *
 * @example
 * const getJob = defineRoute({ operationId: 'getJob', method: 'GET', path: '/jobs/{id}', params: z.strictObject({ id: jobIdSchema }), ... });
 * type Input = RouteInput<typeof getJob>; // { params: { id: string }; query: {}; body: undefined }
 */
export function defineRoute<const Definition extends RouteDefinition>(route: Definition): Definition {
  return route;
}

type Nothing = Record<never, never>;

type Parsed<Definition, Part extends string, Absent> =
  Definition extends Readonly<Record<Part, infer Schema extends z.ZodType>> ? z.output<Schema> : Absent;

/** What a route's handler is given, after validation. */
export interface RouteInput<Definition extends RouteDefinition> {
  params: Parsed<Definition, 'params', Nothing>;
  query: Parsed<Definition, 'query', Nothing>;
  body: Parsed<Definition, 'body', undefined>;
}

type BodyOf<Response> = Response extends { readonly schema: infer Schema }
  ? Schema extends z.ZodType
    ? { body: z.input<Schema> }
    : { body?: undefined }
  : never;

type TextOf<Response> = Response extends { readonly otherTypes: readonly (infer Type)[] }
  ? { text: string; contentType: Type }
  : never;

/** What a route's handler returns: one of the route's statuses with the body it promises, or that as text of another type. */
export type RouteOutput<Definition extends RouteDefinition> = {
  [Status in keyof Definition['responses'] & number]: { status: Status; headers?: Record<string, string> } & (
    | BodyOf<Definition['responses'][Status]>
    | TextOf<Definition['responses'][Status]>
  );
}[keyof Definition['responses'] & number];
