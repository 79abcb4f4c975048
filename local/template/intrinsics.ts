import type { Assembly, Stack } from './assembly.ts';
import { account, attribute, type Place, physicalName, reference, region, stackId } from './identities.ts';

/** A resource of the app with every intrinsic function resolved. */
export type Resource = Place & {
  /** Physical name or id. */
  readonly name: string;
  /** What `Ref` yields. */
  readonly ref: string;
  readonly arn: string;
  /** Whether it stays when it leaves the template, and when a change needs another in its place. */
  readonly staysWhenRemoved: boolean;
  readonly staysWhenReplaced: boolean;
};

/** A resource's place in the app, by which it is known from one deployment to the next. */
export const resourceKey = ({ stack, logicalId }: Pick<Place, 'stack' | 'logicalId'>): string =>
  `${stack}/${logicalId}`;

const stays = (policy: string | undefined): boolean => policy?.startsWith('Retain') ?? false;

/**
 * Turns an assembly into concrete resources, the way CloudFormation would on deploying it: across stacks, in any order.
 *
 * @param names physical names that the resources really got, by `<stack>/<logical id>`; others are derived.
 * @throws Error naming stack and reference when something refers to nothing, or in a circle.
 */
export function resolveResources(assembly: Assembly, names: ReadonlyMap<string, string> = new Map()): Resource[] {
  const resolved = new Map<string, Resource>();
  const inProgress = new Set<string>();
  const exports = new Map<string, () => unknown>();

  const pseudo: Record<string, (stack: Stack) => string> = {
    'AWS::Region': () => region,
    'AWS::AccountId': () => account,
    'AWS::Partition': () => 'aws',
    'AWS::URLSuffix': () => 'amazonaws.com',
    'AWS::StackName': ({ name }) => name,
    'AWS::StackId': ({ name }) => stackId(name),
  };

  function resource(stack: Stack, logicalId: string): Resource {
    const key = resourceKey({ stack: stack.name, logicalId });
    const known = resolved.get(key);
    if (known) return known;
    const definition = stack.template.Resources[logicalId];
    if (!definition) throw new Error(`Stack ${stack.name} refers to ${logicalId}, which it does not define`);
    if (inProgress.has(key)) throw new Error(`Stack ${stack.name}: ${logicalId} refers to itself`);
    inProgress.add(key);
    const properties = value(stack, definition.Properties) as Record<string, unknown>;
    const place: Place = {
      stack: stack.name,
      logicalId,
      type: definition.Type,
      properties,
      ...(stack.region === null ? {} : { region: stack.region }),
    };
    const name = names.get(key) ?? physicalName(place);
    const made: Resource = {
      ...place,
      name,
      ref: reference(place, name),
      arn: attribute(place, name, 'Arn'),
      staysWhenRemoved: stays(definition.DeletionPolicy),
      staysWhenReplaced: stays(definition.UpdateReplacePolicy),
    };
    inProgress.delete(key);
    resolved.set(key, made);
    return made;
  }

  function ref(stack: Stack, name: string): unknown {
    if (name === 'AWS::NoValue') return undefined;
    const fixed = pseudo[name];
    if (fixed) return fixed(stack);
    if (name in stack.template.Parameters) return stack.template.Parameters[name]?.Default;
    return resource(stack, name).ref;
  }

  function getAtt(stack: Stack, argument: unknown): unknown {
    const [logicalId = '', ...path] = Array.isArray(argument) ? argument.map(String) : String(argument).split('.');
    const target = resource(stack, logicalId);
    return attribute(target, target.name, path.join('.'));
  }

  function substitute(stack: Stack, argument: unknown): string {
    const [text, own] = Array.isArray(argument)
      ? [String(argument[0]), value(stack, argument[1]) as Record<string, unknown>]
      : [String(argument), {}];
    return text.replaceAll(/\$\{(!?)([^}]+)\}/g, (_whole, escaped: string, name: string) => {
      if (escaped) return `\${${name}}`;
      if (name in own) return String(own[name]);
      return String(name.includes('.') ? getAtt(stack, name) : ref(stack, name));
    });
  }

  function condition(stack: Stack, expression: unknown): boolean {
    if (typeof expression === 'string') return condition(stack, stack.template.Conditions[expression] ?? false);
    if (typeof expression !== 'object' || expression === null) return Boolean(expression);
    const [name, argument] = Object.entries(expression)[0] ?? ['', undefined];
    const list = Array.isArray(argument) ? argument : [argument];
    if (name === 'Condition') return condition(stack, String(argument));
    if (name === 'Fn::Equals') return JSON.stringify(value(stack, list[0])) === JSON.stringify(value(stack, list[1]));
    if (name === 'Fn::And') return list.every((each) => condition(stack, each));
    if (name === 'Fn::Or') return list.some((each) => condition(stack, each));
    if (name === 'Fn::Not') return !condition(stack, list[0]);
    throw new Error(`Stack ${stack.name}: condition function ${name} is not known locally`);
  }

  const functions: Record<string, (stack: Stack, argument: unknown) => unknown> = {
    Ref: (stack, name) => ref(stack, String(name)),
    'Fn::GetAtt': getAtt,
    'Fn::Sub': substitute,
    'Fn::Join': (stack, argument) => {
      const [separator, parts] = argument as [string, unknown];
      return (value(stack, parts) as unknown[]).map(String).join(separator);
    },
    'Fn::Split': (stack, argument) => {
      const [separator, text] = argument as [string, unknown];
      return String(value(stack, text)).split(separator);
    },
    'Fn::Select': (stack, argument) => {
      const [index, list] = argument as [unknown, unknown];
      return (value(stack, list) as unknown[])[Number(value(stack, index))];
    },
    'Fn::If': (stack, argument) => {
      const [name, yes, no] = argument as [string, unknown, unknown];
      return value(stack, condition(stack, name) ? yes : no);
    },
    'Fn::ImportValue': (stack, argument) => {
      const name = String(value(stack, argument));
      const exported = exports.get(name);
      if (!exported) throw new Error(`Stack ${stack.name} imports ${name}, which no stack exports`);
      return exported();
    },
    'Fn::GetStackOutput': (stack, argument) => {
      const { StackName, OutputName } = value(stack, argument) as { StackName: string; OutputName: string };
      const producer = assembly.stacks.find(({ name }) => name === StackName);
      const output = producer?.template.Outputs[OutputName];
      if (!producer || !output)
        throw new Error(`Stack ${stack.name} reads ${OutputName} of ${StackName}, which has none`);
      return value(producer, output.Value);
    },
    'Fn::FindInMap': (stack, argument) => {
      const [map, first, second] = (argument as unknown[]).map((part) => String(value(stack, part)));
      return stack.template.Mappings[map ?? '']?.[first ?? '']?.[second ?? ''];
    },
    'Fn::Base64': (stack, argument) => Buffer.from(String(value(stack, argument))).toString('base64'),
    'Fn::GetAZs': () => [`${region}a`, `${region}b`],
  };

  function value(stack: Stack, given: unknown): unknown {
    if (Array.isArray(given)) return given.map((each) => value(stack, each)).filter((each) => each !== undefined);
    if (typeof given !== 'object' || given === null) return given;
    const entries = Object.entries(given);
    const [only] = entries;
    const intrinsic = entries.length === 1 && only ? functions[only[0]] : undefined;
    if (intrinsic && only) return intrinsic(stack, only[1]);
    return Object.fromEntries(
      entries.map(([key, each]) => [key, value(stack, each)]).filter(([, each]) => each !== undefined),
    );
  }

  for (const stack of assembly.stacks) {
    for (const output of Object.values(stack.template.Outputs)) {
      if (output.Export) exports.set(String(value(stack, output.Export.Name)), () => value(stack, output.Value));
    }
  }
  for (const stack of assembly.stacks) {
    for (const [logicalId, { Condition }] of Object.entries(stack.template.Resources)) {
      if (Condition === undefined || condition(stack, Condition)) resource(stack, logicalId);
    }
  }
  return [...resolved.values()];
}
