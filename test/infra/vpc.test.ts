import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { buildSync } from 'esbuild';
import { beforeAll, describe, expect, it } from 'vitest';
import example from '../../infra/config/example.ts';
import { checkDeployment } from '../../infra/config/load.ts';
import type { DeploymentInput } from '../../infra/config/schema.ts';
import { endpointFor, endpointNames, vpcEndpoints, withoutEndpoint } from '../../infra/constructs/vpc-services.ts';
import { statementsOf } from '../../local/template/statements.ts';
import * as clients from '../../shared/aws/clients.ts';
import { type Synthesized, synthesize } from './support/synthesize.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));

const withEndpoints = (further: Partial<{ existing: string[]; zones: number }> = {}): DeploymentInput =>
  ({
    ...example,
    databases: example.databases.map((database) => ({
      ...database,
      vpc: { ...database.vpc, endpoints: { route_table_ids: ['rtb-0123456789abcdef0'], ...further } },
    })),
  }) as DeploymentInput;

let made: Synthesized;
beforeAll(async () => {
  made = await synthesize(withEndpoints());
});

const inVpc = () => made.ofType('AWS::Lambda::Function').filter(({ properties }) => properties.VpcConfig);
const endpoints = () =>
  made.ofType('AWS::EC2::VPCEndpoint').map(({ properties }) => ({
    properties,
    name: String(properties.ServiceName).replace(/^com\.amazonaws\.[^.]+\./, ''),
  }));

/** The first part of the host name that the SDK calls, which is the endpoint's name too. */
async function hostOf(clientName: string): Promise<string> {
  const client = (clients as unknown as Record<string, () => { config: object }>)[clientName];
  if (!client) throw new Error(`There is no ${clientName} in shared/aws/clients.ts`);
  const { endpointProvider } = client().config as { endpointProvider: (at: object) => { url: URL } };
  const { url } = endpointProvider({ Region: 'eu-central-1', UseFIPS: false, UseDualStack: false });
  return url.host.split('.')[0] ?? '';
}

describe('endpoints of a VPC', () => {
  it('are there for every service that a function in the VPC may call', () => {
    expect(inVpc().length).toBeGreaterThan(10);
    const names = new Set(inVpc().map(({ name }) => name));
    const called = statementsOf(made.app.resources)
      .filter(({ roles, effect }) => effect === 'Allow' && roles.some((role) => names.has(role)))
      .filter(({ actions }) => !actions.includes('sts:AssumeRole'))
      .flatMap(({ actions }) => actions.map((action) => action.split(':')[0] ?? ''));
    const needed = new Set([...called].flatMap((service) => endpointFor(service) ?? []));
    expect(endpoints().map(({ name }) => name)).toEqual([...needed].sort());
    expect([...needed].sort()).toEqual([...endpointNames].sort());
  });

  it('are there for every AWS client in the sources of a function in the VPC', async () => {
    const entryPoints = inVpc().map(({ name }) => `functions/${name.slice('dbms-'.length)}.ts`);
    const { metafile } = buildSync({
      absWorkingDir: root,
      entryPoints,
      bundle: true,
      write: false,
      metafile: true,
      outdir: 'nowhere',
      packages: 'external',
      platform: 'node',
      format: 'esm',
    });
    const sources = Object.keys(metafile.inputs).filter((path) => path !== 'shared/aws/clients.ts');
    const used = new Set(
      sources.flatMap((path) =>
        [...readFileSync(`${root}/${path}`, 'utf8').matchAll(/\b([a-zA-Z0-9]+Client)\(\)/g)].map(
          ([, name = '']) => name,
        ),
      ),
    );
    expect([...used].sort()).toContain('sesClient');
    const hosts = await Promise.all([...used].map(hostOf));
    expect(hosts.filter((host) => !(host in vpcEndpoints))).toEqual([]);
  });

  it('let the functions in alone, by HTTPS, under the services’ own names and with credentials of this account alone', () => {
    for (const { name, properties } of endpoints()) {
      const { kind, actions } = vpcEndpoints[name as keyof typeof vpcEndpoints];
      expect(properties, name).toMatchObject({
        VpcId: 'vpc-0123456789abcdef0',
        VpcEndpointType: kind === 'gateway' ? 'Gateway' : 'Interface',
        PolicyDocument: {
          Statement: [{ Action: actions, Condition: { StringEquals: { 'aws:PrincipalAccount': '123456789012' } } }],
        },
        ...(kind === 'gateway'
          ? { RouteTableIds: ['rtb-0123456789abcdef0'] }
          : {
              PrivateDnsEnabled: true,
              SubnetIds: ['subnet-0aaaaaaaaaaaaaaa1', 'subnet-0bbbbbbbbbbbbbbb2'],
            }),
      });
    }
    expect(made.one('AWS::EC2::SecurityGroup').properties.SecurityGroupIngress).toMatchObject([
      { IpProtocol: 'tcp', FromPort: 443, ToPort: 443, SourceSecurityGroupId: 'sg-0123456789abcdef0' },
    ]);
  });

  it('are made before the functions, and not where there is one already or the configuration asks for none', async () => {
    const { artifacts } = JSON.parse(readFileSync(join(made.folder, 'manifest.json'), 'utf8')) as {
      artifacts: Record<string, { dependencies?: string[] }>;
    };
    for (const name of ['dbms-backups', 'dbms-api', 'dbms-monitoring']) {
      expect(artifacts[name]?.dependencies, name).toContain('dbms-network');
    }
    const some = await synthesize(withEndpoints({ existing: ['s3', 'kms', 'lambda', 'rds'], zones: 1 }));
    const left = some.ofType('AWS::EC2::VPCEndpoint').map(({ properties }) => properties);
    expect(left.map(({ ServiceName }) => String(ServiceName).split('.').at(-1))).toEqual([
      'dynamodb',
      'email',
      'monitoring',
      'secretsmanager',
    ]);
    expect(left.at(-1)?.SubnetIds).toEqual(['subnet-0aaaaaaaaaaaaaaa1']);
    const none = await synthesize(example);
    expect(none.ofType('AWS::EC2::VPCEndpoint')).toEqual([]);
  });

  it('are refused for a service that is none of them', () => {
    expect(() => checkDeployment(withEndpoints({ existing: ['ses'] }), 'it')).toThrow(
      /databases\.0\.vpc\.endpoints\.existing\.0/,
    );
    expect(() => endpointFor('bedrock')).toThrow('does not say through which endpoint functions reach bedrock');
    expect(Object.values(withoutEndpoint).every((reason) => reason.endsWith('.'))).toBe(true);
  });

  it('stand in the guide, each with what it is for', () => {
    const guide = readFileSync(`${root}/docs/vpc.md`, 'utf8');
    for (const name of endpointNames) {
      const { kind, use } = vpcEndpoints[name];
      expect(guide).toContain(`| \`com.amazonaws.<region>.${name}\` | ${kind} | ${use} |`);
    }
  });
});
