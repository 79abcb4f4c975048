import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { readAssembly } from '../../local/template/assembly.ts';
import type { LocalApp } from '../../local/template/read.ts';
import { openVersions } from '../../local/template/versions.ts';

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'versions-'));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

interface Change {
  /** Ends the logical id of the version, as CDK's hash does. */
  hash: string;
  mail: string;
  deletionPolicy?: string;
  description?: string;
  updateReplacePolicy?: string;
}

/** A durable function with the alias `live` on a version, which another function has in its environment. */
function assembly({ hash, mail, description, ...policies }: Change) {
  const version = `Version${hash}`;
  const template = {
    Resources: {
      Work: {
        Type: 'AWS::Lambda::Function',
        Properties: { FunctionName: 'work', Environment: { Variables: { MAIL: mail } } },
      },
      [version]: {
        Type: 'AWS::Lambda::Version',
        Properties: { FunctionName: { Ref: 'Work' }, ...(description ? { Description: description } : {}) },
        ...(policies.deletionPolicy ? { DeletionPolicy: policies.deletionPolicy } : {}),
        ...(policies.updateReplacePolicy ? { UpdateReplacePolicy: policies.updateReplacePolicy } : {}),
      },
      Live: {
        Type: 'AWS::Lambda::Alias',
        Properties: {
          FunctionName: { Ref: 'Work' },
          FunctionVersion: { 'Fn::GetAtt': [version, 'Version'] },
          Name: 'live',
        },
      },
      Other: {
        Type: 'AWS::Lambda::Function',
        Properties: { FunctionName: 'other', Environment: { Variables: { WORK: { Ref: version } } } },
      },
    },
  };
  const made = mkdtempSync(join(folder, 'assembly-'));
  mkdirSync(made, { recursive: true });
  writeFileSync(
    join(made, 'manifest.json'),
    JSON.stringify({
      artifacts: { Mini: { type: 'aws:cloudformation:stack', properties: { templateFile: 'mini.json' } } },
    }),
  );
  writeFileSync(join(made, 'mini.json'), JSON.stringify(template));
  return readAssembly(made);
}

/** What stands for what after a deployment: the alias, what the other function calls, and the mail address of each version. */
function seen({ functions }: LocalApp) {
  const named = (name: string) => functions.find((each) => each.name === name);
  return {
    live: named('work')?.qualifiers.get('live'),
    called: named('other')?.environment.WORK,
    mails: Object.fromEntries(
      [...(named('work')?.versions ?? [])].map(([number, { environment }]) => [number, environment.MAIL]),
    ),
  };
}

const arn = (version: string) => `arn:aws:lambda:us-east-1:000000000000:function:work:${version}`;
const open = (name: string) => openVersions(join(folder, `${name}.json`));

describe('a deployment', () => {
  it('publishes a version for a new resource, and deletes the one that left the template', () => {
    const versions = open('deleted');
    expect(seen(versions.deploy(assembly({ hash: 'A', mail: 'one' })))).toEqual({
      live: '1',
      called: arn('1'),
      mails: { 1: 'one' },
    });
    expect(seen(versions.deploy(assembly({ hash: 'B', mail: 'two' })))).toEqual({
      live: '2',
      called: arn('2'),
      mails: { 2: 'two' },
    });
  });

  it('keeps a version whose policy retains it, as it was, and so does a restart', () => {
    const retained = { deletionPolicy: 'Retain' };
    const versions = open('retained');
    versions.deploy(assembly({ hash: 'A', mail: 'one', ...retained }));
    versions.deploy(assembly({ hash: 'B', mail: 'two', ...retained }));
    const both = { live: '2', called: arn('2'), mails: { 1: 'one', 2: 'two' } };
    expect(seen(open('retained').deploy(assembly({ hash: 'B', mail: 'two', ...retained })))).toEqual(both);
    open('retained').remove('work', '1');
    expect(seen(open('retained').deploy(assembly({ hash: 'B', mail: 'two', ...retained }))).mails).toEqual({
      2: 'two',
    });
  });

  it('goes by the policy that the resource had when it was deployed', () => {
    const versions = open('before');
    versions.deploy(assembly({ hash: 'A', mail: 'one' }));
    expect(seen(versions.deploy(assembly({ hash: 'B', mail: 'two', deletionPolicy: 'Retain' }))).mails).toEqual({
      2: 'two',
    });
  });

  it('publishes another version when a property needs a replacement, and keeps the old one only by UpdateReplacePolicy', () => {
    for (const [name, updateReplacePolicy, mails] of [
      ['replaced', 'Delete', { 2: 'two' }],
      ['replaced-kept', 'Retain', { 1: 'one', 2: 'two' }],
    ] as const) {
      const versions = open(name);
      versions.deploy(assembly({ hash: 'A', mail: 'one', description: 'first', updateReplacePolicy }));
      const after = versions.deploy(assembly({ hash: 'A', mail: 'two', description: 'second', updateReplacePolicy }));
      expect(seen(after).mails).toEqual(mails);
    }
  });

  it('counts on when an earlier configuration comes back', () => {
    const versions = open('back');
    for (const [hash, mail] of [
      ['A', 'one'],
      ['B', 'two'],
      ['A', 'one'],
    ] as const)
      versions.deploy(assembly({ hash, mail }));
    expect(seen(versions.deploy(assembly({ hash: 'A', mail: 'one' })))).toMatchObject({
      live: '3',
      mails: { 3: 'one' },
    });
  });

  it('is refused when a version would be no other than the last one, as Lambda publishes none', () => {
    const versions = open('same');
    versions.deploy(assembly({ hash: 'A', mail: 'one' }));
    expect(() => versions.deploy(assembly({ hash: 'B', mail: 'one' }))).toThrow(
      'A version for the Lambda function work exists ( 1 )',
    );
  });
});
