import { describe, expect, it } from 'vitest';
import { createConcurrency } from '../../local/lambda/concurrency.ts';

const settled = async (promise: Promise<unknown>): Promise<boolean> =>
  Promise.race([promise.then(() => true), new Promise<boolean>((resolve) => setTimeout(resolve, 20, false))]);

describe('the quota of an account', () => {
  it('refuses callers beyond it, and lets queued events wait for their turn', async () => {
    const account = createConcurrency({ accountLimit: 2 });
    const leave = await account.take('api', false);
    await account.take('backup', true);
    await expect(account.take('api', false)).rejects.toMatchObject({
      code: 'TooManyRequestsException',
      statusCode: 429,
    });
    const event = account.take('backup', true);
    expect(await settled(event)).toBe(false);
    leave();
    leave();
    expect(await settled(event)).toBe(true);
    expect(account.usage()).toMatchObject({ running: 2, most: 2 });
    expect([...account.usage().throttled]).toEqual([['api', 1]]);
  });

  it('keeps what a function reserves for it alone, and no more', async () => {
    const account = createConcurrency({ accountLimit: 102 });
    account.reserve(new Map([['authorizer', 2]]));
    for (let count = 0; count < 100; count++) await account.take(`other-${count}`, false);
    await expect(account.take('one-more', false)).rejects.toMatchObject({ code: 'TooManyRequestsException' });
    await account.take('authorizer', false);
    await account.take('authorizer', false);
    await expect(account.take('authorizer', false)).rejects.toMatchObject({ code: 'TooManyRequestsException' });
  });

  it('does not let a function that waits for its own limit hold up the others', async () => {
    const machine = createConcurrency({ perFunction: 1 });
    const leave = await machine.take('lane', true);
    const waiting = machine.take('lane', true);
    expect(await settled(machine.take('holder', true))).toBe(true);
    leave();
    expect(await settled(waiting)).toBe(true);
  });

  it('leaves nothing to reserve in a new account, as Lambda says it', () => {
    const reserve = (accountLimit: number) => createConcurrency({ accountLimit }).reserve(new Map([['authorizer', 1]]));
    expect(() => reserve(10)).toThrow('below its minimum value of [10]');
    expect(() => reserve(100)).toThrow('below its minimum value of [100]');
    expect(() => reserve(101)).not.toThrow();
  });
});
