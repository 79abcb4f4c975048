import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, it } from 'vitest';
import { readAssembly } from '../../local/template/assembly.ts';
import { resolveResources } from '../../local/template/intrinsics.ts';

const folder = mkdtempSync(join(tmpdir(), 'template-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

function resolve(stacks: Record<string, object>): Record<string, unknown> {
  const artifacts = Object.fromEntries(
    Object.keys(stacks).map((name) => [
      name,
      { type: 'aws:cloudformation:stack', properties: { templateFile: `${name}.json` } },
    ]),
  );
  writeFileSync(join(folder, 'manifest.json'), JSON.stringify({ artifacts }));
  for (const [name, template] of Object.entries(stacks))
    writeFileSync(join(folder, `${name}.json`), JSON.stringify(template));
  const resources = resolveResources(readAssembly(folder));
  return resources.find(({ logicalId }) => logicalId === 'Probe')?.properties ?? {};
}

it('resolves references within and across stacks, whatever their order', () => {
  const properties = resolve({
    Second: {
      Resources: {
        Probe: {
          Type: 'Test',
          Properties: {
            Imported: { 'Fn::ImportValue': 'First:TableArn' },
            Joined: { 'Fn::Join': ['-', ['a', { Ref: 'AWS::Region' }, { Ref: 'Key' }]] },
            Parts: { 'Fn::Select': [3, { 'Fn::Split': [':', { 'Fn::GetAtt': ['Function', 'Arn'] }] }] },
            Substituted: {
              'Fn::Sub': ['${Own}/${AWS::AccountId}/${Function.Arn}/${!Literal}', { Own: { Ref: 'Queue' } }],
            },
            Chosen: { 'Fn::If': ['InEurope', 'yes', 'no'] },
            Absent: { 'Fn::If': ['InEurope', 'yes', { Ref: 'AWS::NoValue' }] },
            Mapped: { 'Fn::FindInMap': ['Sizes', { Ref: 'AWS::Region' }, 'small'] },
          },
        },
        Key: { Type: 'AWS::KMS::Key' },
        Queue: { Type: 'AWS::SQS::Queue', Properties: { QueueName: 'dead' } },
        Function: { Type: 'AWS::Lambda::Function', Properties: { FunctionName: 'work' } },
        Left: { Type: 'Test', Condition: 'InEurope', Properties: { Broken: { Ref: 'Nothing' } } },
      },
      Conditions: { InEurope: { 'Fn::Not': [{ 'Fn::Equals': [{ Ref: 'AWS::Region' }, 'us-east-1'] }] } },
      Mappings: { Sizes: { 'us-east-1': { small: 3 } } },
    },
    First: {
      Resources: { Table: { Type: 'AWS::DynamoDB::Table' } },
      Outputs: { Out: { Value: { 'Fn::GetAtt': ['Table', 'Arn'] }, Export: { Name: 'First:TableArn' } } },
    },
  });
  expect(properties).toEqual({
    Imported: 'arn:aws:dynamodb:us-east-1:000000000000:table/First-Table',
    Joined: expect.stringMatching(/^a-us-east-1-[0-9a-f-]{36}$/),
    Parts: 'us-east-1',
    Substituted:
      'https://sqs.us-east-1.amazonaws.com/000000000000/dead/000000000000/arn:aws:lambda:us-east-1:000000000000:function:work/${Literal}',
    Chosen: 'no',
    Mapped: 3,
  });
});

it('names what refers to nothing, or to itself', () => {
  expect(() =>
    resolve({ One: { Resources: { Probe: { Type: 'Test', Properties: { A: { Ref: 'Missing' } } } } } }),
  ).toThrow('Stack One refers to Missing');
  expect(() =>
    resolve({ One: { Resources: { Probe: { Type: 'Test', Properties: { A: { Ref: 'Probe' } } } } } }),
  ).toThrow('refers to itself');
  expect(() =>
    resolve({ One: { Resources: { Probe: { Type: 'Test', Properties: { A: { 'Fn::ImportValue': 'x' } } } } } }),
  ).toThrow('no stack exports');
});
