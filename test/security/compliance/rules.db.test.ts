import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { ruleIds, rules } from '../../../shared/security/compliance/registry.ts';
import { breakages, judgedLater } from './support/breakages.ts';
import { World } from './support/world.ts';

let world: World;
beforeAll(async () => {
  world = await World.start();
});
afterAll(() => world?.end());

test('there are at least 60 rules, each with an id of its own and a way to break it', () => {
  expect(ruleIds.length).toBeGreaterThanOrEqual(60);
  expect(new Set(ruleIds).size).toBe(ruleIds.length);
  expect(Object.keys(breakages).sort()).toEqual([...ruleIds].sort());
});

test('every rule names at least one control beside those of CIS', () => {
  for (const { rule } of rules) {
    expect(Object.keys(rule.controls), rule.id).toEqual(
      expect.arrayContaining(['SOC 2', 'ISO 27001', 'GDPR', 'HIPAA', 'PCI DSS']),
    );
  }
});

describe('broken, it fails, and what it says mends it:', () => {
  test.each(ruleIds)('%s', async (id) => {
    const now = Date.now() + (judgedLater[id] ?? 0) * 86_400_000;
    await breakages[id]?.(world);
    const broken = await world.judge(id, now);
    expect(broken).toMatchObject({ status: 'fail', found: expect.stringMatching(/./) });
    if (broken.status !== 'fail') return;
    expect(broken.mend.length).toBeGreaterThan(0);
    await world.mend(broken.mend);
    expect(await world.judge(id, now)).toMatchObject({ status: 'pass' });
  });
});
