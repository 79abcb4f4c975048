import type { Conditions } from '../iam/conditions.ts';
import type { Resource } from '../template/intrinsics.ts';
import { type Statement, statementsOf } from '../template/statements.ts';

const nouns: Readonly<Record<string, string>> = {
  'AWS::S3::Bucket': 'bucket',
  'AWS::DynamoDB::Table': 'table',
  'AWS::KMS::Key': 'key',
  'AWS::SQS::Queue': 'queue',
  'AWS::SNS::Topic': 'topic',
  'AWS::IAM::Role': 'role',
  'AWS::Lambda::Function': 'function',
  'AWS::Logs::LogGroup': 'log group',
};

/** What all functions may do alike, to run at all: their logs, traces and network interfaces. */
const COMMON = /^(logs|xray|ec2):/;

const introduction = `# What each function may do

Made by \`npm run rights\` from the template of the example configuration, and held to it by a test. A change of it is a change of who may do
what. The local run refuses what is not in it, as AWS does.

"On" names resources of the template by kind and logical id, and others by service and ARN. "Only if" has the conditions of the statement, all of
which must hold; \`(if given)\` marks one that is not asked of a request without that value. Two statements about the same thing add up, and one
that denies prevails.
`;

/**
 * The report of the policies in the templates, for a security reviewer: per function its rights, then the policies of the resources
 * themselves, and who takes on which role. Markdown.
 */
export function rightsReport(resources: readonly Resource[]): string {
  const statements = statementsOf(resources);
  const named = namesOf(resources);
  const functions = resources.filter(({ type }) => type === 'AWS::Lambda::Function');
  const own = (name: string) => statements.filter(({ roles, principal }) => !principal && roles.includes(name));
  const common = functions.flatMap(({ name }) => own(name)).flatMap((statement) => only(statement, COMMON));
  const functionParts = functions
    .toSorted((a, b) => a.name.localeCompare(b.name))
    .map(({ name, properties }) => {
      const rows = own(name).flatMap(withoutCommon);
      const table = rows.length > 0 ? rightsTable(rows, named) : 'Nothing else.\n';
      return `## ${name}\n\n${properties.Description}.\n\n${table}`;
    });
  const others = resources.filter(({ type, name }) => type === 'AWS::IAM::Role' && own(name).length > 0);
  const roleParts = others.map(
    ({ name, properties, logicalId }) =>
      `### ${shortId(logicalId)}\n\n${properties.Description ?? 'No description'}.\n\n${rightsTable(own(name), named)}`,
  );
  const trusts = statements.filter(({ actions }) => actions.includes('sts:AssumeRole'));
  const policies = statements.filter(({ principal, actions }) => principal && !actions.includes('sts:AssumeRole'));
  return [
    introduction,
    `## Every function\n\nIts own log, its traces and the network interfaces of its VPC:\n\n${rightsTable(common, named, true)}`,
    ...functionParts,
    `## Roles of services\n\n${roleParts.join('\n')}`,
    `## Who takes on roles\n\n${trustTable(trusts)}`,
    `## Policies of resources\n\n${policyTable(policies, named)}`,
  ].join('\n');
}

/** A statement with those of its actions alone; nothing where it has none. The CDK joins statements about the same resource. */
function only(statement: Statement, pattern: RegExp): Statement[] {
  const actions = statement.actions.filter((action) => pattern.test(action));
  return actions.length > 0 ? [{ ...statement, actions }] : [];
}

const withoutCommon = (statement: Statement): Statement[] => only(statement, /^(?!logs:|xray:|ec2:)/);

type Named = (resource: string) => string;

function namesOf(resources: readonly Resource[]): Named {
  const known = resources
    .flatMap(({ type, arn, name, logicalId }): [string, string][] => {
      const noun = nouns[type];
      if (noun === undefined) return [];
      return [[arn, `${noun} ${type === 'AWS::Lambda::Function' ? name : shortId(logicalId)}`]];
    })
    // The longest first, as one function's name may begin with another's.
    .sort(([a], [b]) => b.length - a.length);
  return (resource) => {
    const [arn = '', name = ''] = known.find(([each]) => resource === each || /^[:/]/.test(rest(resource, each))) ?? [];
    if (arn !== '') return name + rest(resource, arn).replace(/^\//, ' ');
    const [, service, path] = /^arn:aws:([^:]*):[^:]*:[^:]*:(.*)$/.exec(resource) ?? [];
    return service === undefined ? resource : `${service} ${path}`;
  };
}

const rest = (resource: string, arn: string): string => (resource.startsWith(arn) ? resource.slice(arn.length) : '');

/** A logical id without the hash that the CDK adds. */
const shortId = (logicalId: string): string => logicalId.replace(/[0-9A-F]{8}$/, '');

function rightsTable(statements: readonly Statement[], named: Named, ofAll = false): string {
  const rows = statements.map(({ effect, actions, resources, conditions }) => [
    (effect === 'Deny' ? '**never** ' : '') + codes(actions),
    codes(
      resources.map((resource) =>
        ofAll ? named(resource).replace(/^log group .*/, 'its log group') : named(resource),
      ),
    ),
    describe(conditions, named),
  ]);
  return table(['may', 'on', 'only if'], rows);
}

function trustTable(trusts: readonly Statement[]): string {
  const rows = trusts.map(({ holder, principal, conditions }) => [
    shortId(holder.logicalId),
    codes(Object.values(principal as Record<string, string>).flat()),
    describe(conditions, (text) => text),
  ]);
  const [functions, services] = [/^lambda\./, /./].map((pattern, index) =>
    rows.filter(([, who = '']) => pattern.test(who.replaceAll('`', '')) && (index === 0 || !/^`lambda\./.test(who))),
  );
  return `${functions?.length} roles are those of the functions, which \`lambda.amazonaws.com\` takes on.\n\n${table(['role', 'who', 'only if'], services ?? [])}`;
}

function policyTable(policies: readonly Statement[], named: Named): string {
  const rows = policies.map(({ holder, effect, principal, actions, resources, conditions }) => [
    `${shortId(holder.logicalId)}`,
    effect === 'Deny' ? '**deny**' : 'allow',
    codes([principal === '*' ? '*' : Object.values(principal as Record<string, string>).flat()].flat().map(String)),
    codes(actions),
    codes(resources.map(named)),
    describe(conditions, named),
  ]);
  return table(['policy', '', 'who', 'what', 'on', 'only if'], rows);
}

const positive = { Equals: 'is', Like: 'is like', IpAddress: 'is in', LessThan: 'is less than' } as const;

function describe(conditions: Conditions, named: Named): string {
  const texts = Object.entries(conditions).flatMap(([operator, keys]) =>
    Object.entries(keys).map(([key, values]) => describeOne(operator, key, [values].flat().map(String), named)),
  );
  return texts.sort().join('<br>');
}

function describeOne(operator: string, key: string, values: readonly string[], named: Named): string {
  const all = codes(values.map((value) => (value.startsWith('arn:') ? named(value) : withoutRegion(value))));
  if (operator === 'Null') return `\`${key}\` is ${values.includes('true') ? 'not ' : ''}given`;
  const [, quantifier = '', name = '', ifGiven] =
    /^(?:(ForAllValues|ForAnyValue):)?(.*?)(IfExists)?$/.exec(operator) ?? [];
  const verb = Object.entries(positive).find(([part]) => name.includes(part))?.[1] ?? 'is';
  const negated = /Not/.test(name) ? verb.replace('is', 'is not') : verb;
  const scope = { ForAllValues: 'each ', ForAnyValue: 'any ' }[quantifier] ?? '';
  return `${scope}\`${key}\` ${negated} ${all}${ifGiven ? ' (if given)' : ''}`;
}

/** The region that the reader of templates stands in for the one that a deployment has. */
const withoutRegion = (text: string): string => text.replace('.us-east-1.', '.<region>.');

const codes = (texts: readonly string[]): string => [...new Set(texts)].map((text) => `\`${text}\``).join(', ');

function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const lines = [...new Set(rows.map((row) => `| ${row.join(' | ')} |`))].sort();
  return `| ${head.join(' | ')} |\n|${' --- |'.repeat(head.length)}\n${lines.join('\n')}\n`;
}
