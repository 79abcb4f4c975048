import { gzipSync } from 'node:zlib';
import { QueryCommand } from '@aws-sdk/lib-dynamodb';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { readSubscription } from '../../shared/aws/read-subscription.ts';
import { platformKinds, runtimeConfigurationSchema } from '../../shared/configuration/runtime.ts';
import { platformOf, readablePrefixes } from '../../shared/platforms/platforms.ts';
import { createAuditor } from '../../shared/security/audit/auditor.ts';
import { ingestLog } from '../../shared/security/audit/database-log/ingest.ts';
import { tellsWho } from '../../shared/security/audit/database-log/line-prefix.ts';
import { readLogLine as readSplit } from '../../shared/security/audit/database-log/read-line.ts';
import { splitLine } from '../../shared/security/audit/database-log/split-line.ts';
import { chainPartition } from '../../shared/security/audit/record.ts';
import { type StateService, startState } from '../state/support.ts';

const readLogLine = (line: string) => {
  const split = splitLine(line);
  return split && readSplit(split);
};

const before = '2026-11-25 07:00:00 UTC:10.0.0.5(52345):alice@shop:[4711]:';

describe('a line of a log', () => {
  test.each([
    [
      `${before}LOG:  connection authorized: user=alice database=shop application_name=psql SSL enabled (protocol=TLSv1.3, cipher=TLS_AES_256_GCM_SHA384, bits=256)`,
      {
        actor: 'alice',
        operation: 'login',
        outcome: 'succeeded',
        address: '10.0.0.5',
        request: { application: 'psql', encrypted: true },
      },
    ],
    [
      `2026-11-25 07:00:00 UTC:[local]:alice@shop:[1]:LOG:  connection authorized: user=alice database=shop`,
      { operation: 'login', address: null, request: { application: null, encrypted: false } },
    ],
    [
      `2026-11-25 07:00:00 UTC:2001:db8::7(5432):alice@shop:[1]:LOG:  disconnection: session time: 0:00:12.345 user=alice database=shop host=x port=1`,
      { operation: 'logout', address: '2001:db8::7', request: { duration: '0:00:12.345' } },
    ],
    [
      `${before}FATAL:  password authentication failed for user "alice"`,
      { operation: 'login', outcome: 'refused', error: 'authentication_failed' },
    ],
    [
      `${before}FATAL:  no pg_hba.conf entry for host "10.0.0.5", user "alice", database "shop", no encryption`,
      { operation: 'login', outcome: 'refused', error: 'no_hba_entry' },
    ],
    [
      `${before}LOG:  AUDIT: SESSION,1,1,READ,SELECT,TABLE,public.customers,"SELECT * FROM customers WHERE name = 'x, ""y""'\n  AND id = 7",<not logged>`,
      {
        operation: 'SELECT',
        target: 'public.customers',
        outcome: 'started',
        request: {
          class: 'READ',
          object_type: 'TABLE',
          statement: `SELECT * FROM customers WHERE name = 'x, "y"'\n  AND id = 7`,
        },
      },
    ],
    [
      `${before}LOG:  AUDIT: SESSION,2,1,DDL,ALTER TABLE,,,"ALTER TABLE a ADD b text; SELECT 'cut o`,
      { operation: 'ALTER TABLE', target: null },
    ],
  ])('is read: %s', (line, told) => {
    expect(readLogLine(line)).toMatchObject({ databaseName: 'shop', ...told });
  });

  const from = '2026-11-25 07:00:00 UTC:10.0.0.5(52345):';
  test.each([
    ['a role with @', 'alice@CORP.EXAMPLE', 'shop'],
    ['a database with : and @', 'alice', 'a:b@c'],
    ['both', 'a@b', 'c:[1]:LOG:  d@e'],
  ])('names %s whole', (_, user, database) => {
    const names = { actor: user, databaseName: database };
    const said = `user=${user} database=${database}`;
    expect(readLogLine(`${from}${user}@${database}:[1]:LOG:  connection authorized: ${said}`)).toMatchObject(names);
    const end = `disconnection: session time: 0:00:01 ${said} host=x port=1`;
    expect(readLogLine(`${from}${user}@${database}:[1]:LOG:  ${end}`)).toMatchObject(names);
    const refused = `no pg_hba.conf entry for host "10.0.0.5", user "${user}", database "${database}", no encryption`;
    expect(readLogLine(`${from}${user}@${database}:[1]:FATAL:  ${refused}`)).toMatchObject(names);
  });

  test('names a role with @ whole where the message does not repeat it, with both names as they are in the log', () => {
    const line = `${from}alice@CORP.EXAMPLE@shop:[1]:LOG:  AUDIT: SESSION,1,1,READ,SELECT,,,SELECT,none`;
    expect(readLogLine(line)).toMatchObject({
      actor: 'alice@CORP.EXAMPLE',
      databaseName: 'shop',
      request: { as_logged: 'alice@CORP.EXAMPLE@shop', statement: 'SELECT' },
    });
    const fatal = `${from}a@b@shop:[1]:FATAL:  password authentication failed for user "a@b"`;
    expect(readLogLine(fatal)).toMatchObject({ actor: 'a@b', databaseName: 'shop', request: null });
  });

  test('of a replication connection is a login', () => {
    const line = `${from}dbms@[unknown]:[1]:LOG:  replication connection authorized: user=dbms application_name=x`;
    expect(readLogLine(line)).toMatchObject({ actor: 'dbms', operation: 'login', outcome: 'succeeded' });
  });

  const authorized = (rest: string) =>
    readLogLine(`${before}LOG:  connection authorized: user=alice database=shop${rest}`);
  const tls = ' SSL enabled (protocol=TLSv1.3, cipher=TLS_AES_256_GCM_SHA384, bits=256)';
  const short = ' SSL enabled (protocol=TLSv1.2, cipher=A, bits=128)';
  const gss = (encrypted: string) =>
    ` GSS (authenticated=yes, encrypted=${encrypted}, delegated_credentials=no, principal=alice@EXAMPLE.COM)`;
  test.each([
    [tls, true],
    [` application_name=psql${tls}`, true],
    [' application_name=psql SSL enabled (', false],
    [` application_name=x${short} y`, false],
    // Nobody can tell it from the server's own words: it fits into a name.
    [` application_name=x${short}`, null],
    [` application_name=x${short}${tls}`, true],
    [` application_name=psql${gss('yes')}`, true],
    [` application_name=psql${gss('no')}`, false],
  ])('tells whether a login is encrypted, whatever the session calls itself:%s', (rest, encrypted) => {
    expect(authorized(rest)?.request).toMatchObject({ encrypted });
  });

  const forged = 'b:[1]:LOG:  ';
  test.each([
    ['a login, by a user name', `a@${forged}connection authorized: user=a database=b `],
    ['a statement, by a user name', `a@${forged}AUDIT: SESSION,1,1,ROLE,DROP ROLE,,,x`],
  ])('cannot be made to tell of %s', (_, user) => {
    const line = `${from}${user}@shop:[7]:FATAL:  password authentication failed for user "${user}"`;
    expect(readLogLine(line)).toMatchObject({ actor: user, operation: 'login', outcome: 'refused' });
    const full = `${from}${user}@shop:[7]:FATAL:  sorry, too many clients already`;
    expect(readLogLine(full)).toMatchObject({ actor: 'unknown', operation: 'unreadable log line' });
  });

  test('cannot be hidden, nor read as another, by what a statement holds', () => {
    const inside = `m@d:[7]:LOG:  AUDIT: SESSION,1,1,READ,SELECT,,,"x:[1]:FATAL:  password authentication failed for user ""m"""`;
    expect(readLogLine(`${from}${inside}`)?.operation).toMatch(/^(?:SELECT|unreadable log line)$/);
    const long = `alice@shop:[7]:LOG:  AUDIT: SESSION,1,1,READ,SELECT,,,"SELECT 1 -- ${'x'.repeat(60)}:[1]:LOG:  AUDIT: SESSION,1,1,ROLE,DROP ROLE,,,x"`;
    expect(readLogLine(`${from}${long}`)).toMatchObject({ actor: 'alice', operation: 'SELECT' });
  });

  test.each([
    `${before}LOG:  duration: 12 ms`,
    `${before}ERROR:  relation "x" does not exist`,
    `${before}FATAL:  terminating connection due to administrator command`,
    `${before}LOG:  AUDIT: nonsense`,
    'LOG:  connection authorized: user=alice',
    '',
    '{"message":"connection authorized: user=alice"}',
    '{"unfinished',
  ])('tells nothing: %s', (line) => {
    expect(readLogLine(line)).toBeNull();
  });
});

describe('a line in each format that a server may be told to write', () => {
  const authorized = 'connection authorized: user=alice database=shop application_name=psql';
  test.each([
    ['the default prefix of RDS', `${before}LOG:  ${authorized}`],
    [
      'the other prefix of RDS',
      `2026-11-25 07:00:00.123 UTC:10.0.0.5(52345):alice@shop:[4711]:2:00000:2026-11-25 07:00:00 UTC:3/12:0:6745a1c0.1267:[unknown]:LOG:  ${authorized}`,
    ],
    [
      'the other prefix of RDS, with colons in the name of an application',
      `2026-11-25 07:00:00.123 UTC:10.0.0.5(52345):alice@shop:[4711]:2:00000:2026-11-25 07:00:00 UTC::0:6745a1c0.1267:a: LOG:b:LOG:  ${authorized}`,
    ],
    [
      'the prefix that is recommended for a server of your own',
      `2026-11-25 07:00:00.123 UTC [4711]: user=alice,db=shop,app=a, b,client=10.0.0.5 LOG:  ${authorized}`,
    ],
    [
      'CSV',
      `2026-11-25 07:00:00.123 UTC,"alice","shop",4711,"10.0.0.5:52345",6745a1c0.1267,2,"authentication",2026-11-25 07:00:00 UTC,3/12,0,LOG,00000,"${authorized}",,,,,,,,,"[unknown]","client backend",,0`,
    ],
    [
      'JSON',
      JSON.stringify({
        ...{ timestamp: '2026-11-25 07:00:00.123 UTC', user: 'alice', dbname: 'shop', pid: 4711 },
        ...{ remote_host: '10.0.0.5', remote_port: 52345, error_severity: 'LOG', message: authorized },
      }),
    ],
  ])('is read: %s', (_format, line) => {
    expect(readLogLine(line)).toMatchObject({
      ...{ actor: 'alice', databaseName: 'shop', operation: 'login', outcome: 'succeeded', address: '10.0.0.5' },
      request: { application: 'psql' },
    });
  });

  const shapes = {
    'the default prefix of RDS': (
      names: string,
      _application: string,
      said: string,
      [user = '', database = ''] = names.split('\0'),
    ) => `2026-11-25 07:00:00 UTC:10.0.0.5(52345):${user}@${database}:[4711]:${said}`,
    'the other prefix of RDS': (
      names: string,
      application: string,
      said: string,
      [user = '', database = ''] = names.split('\0'),
    ) =>
      `2026-11-25 07:00:00.123 UTC:10.0.0.5(52345):${user}@${database}:[4711]:2:00000:2026-11-25 07:00:00 UTC:3/12:0:6745a1c0.1267:${application}:${said}`,
    'the prefix for a server of your own': (
      names: string,
      application: string,
      said: string,
      [user = '', database = ''] = names.split('\0'),
    ) => `2026-11-25 07:00:00.123 UTC [4711]: user=${user},db=${database},app=${application},client=10.0.0.5 ${said}`,
  };
  describe.each(Object.entries(shapes))('with %s', (_name, write) => {
    const line = (user: string, database: string, said: string, application = 'psql') =>
      readLogLine(write(`${user}\0${database}`, application, said));

    test.each([
      ['alice', 'a:b'],
      ['alice', 'a:b@c'],
      ['alice@CORP.EXAMPLE', 'a,db=b'],
      ['alice', 'x y'],
    ])('names %s and %s whole where the message repeats them', (user, database) => {
      const told = `user=${user} database=${database}`;
      const names = { actor: user, databaseName: database, operation: 'login' };
      expect(line(user, database, `LOG:  connection authorized: ${told} application_name=psql`)).toMatchObject(names);
      const refused = `no pg_hba.conf entry for host "10.0.0.5", user "${user}", database "${database}", no encryption`;
      expect(line(user, database, `FATAL:  ${refused}`)).toMatchObject({ ...names, outcome: 'refused' });
    });

    test.each([
      ['a:[1]:LOG:  b', 'shop'],
      ['alice', 'shop,app=x'],
      ['a,db=b', 'c,app=d,client=1.2.3.4 LOG:  e'],
    ])('names %s and %s, or says that it cannot', (user, database) => {
      const told = `user=${user} database=${database}`;
      for (const said of [`LOG:  connection authorized: ${told}`, `FATAL:  role "${user}" does not exist`]) {
        const read = line(user, database, said);
        if (read?.operation !== 'unreadable log line')
          expect(read).toMatchObject({ actor: user, databaseName: database });
      }
    });

    const audit = 'LOG:  AUDIT: SESSION,1,1,ROLE,DROP ROLE,,,DROP ROLE alice,<none>';
    test.each(['shop', 'a:b', 'a:[7]', 'x y', 'a,client=b'])('tells of a statement in %s', (database) => {
      expect(line('alice', database, audit)).toMatchObject({
        ...{ actor: 'alice', databaseName: database, operation: 'DROP ROLE', address: '10.0.0.5' },
      });
    });

    test.each([
      ['alice', 'shop', 'x:LOG:  duration: 0'],
      ['alice', 'shop', 'x,client=1.1.1.1 LOG:  duration: 0'],
      ['alice', 'shop', ':[1]:1:00000:2026-11-25 07:00:00 UTC::0:1.1:y:LOG:  d'],
      ['alice', 'shop', 'a,client=1.1.1.1 LOG:  AUDIT: SESSION,1,1,READ,SELECT,,,'],
      ['a:[1]:LOG:  duration: 0', 'shop', 'psql'],
      ['alice', 'x,app=y,client=1.1.1.1 LOG:  duration: 0', 'psql'],
      ['alice', 'a\nb', 'psql'],
      ['x'.repeat(64), 'shop', 'psql'],
    ])(
      'a statement of %j in %j is never missing, whatever the session calls itself: %j',
      (user, database, application) => {
        const told = line(user, database, audit, application);
        expect(told?.operation).toMatch(/^(?:DROP ROLE|unreadable log line)$/);
        if (told?.operation === 'DROP ROLE') expect([told.actor, told.databaseName]).toEqual([user, database]);
        else expect(told).toMatchObject({ actor: 'unknown', error: 'ambiguous_log_line' });
      },
    );
  });

  test('of a process that serves no session tells nothing', () => {
    for (const [, write] of Object.entries(shapes))
      expect(readLogLine(write('\0', '', 'LOG:  checkpoint starting: time'))).toBeNull();
    const early =
      '2026-11-25 07:00:00.123 UTC::@:[4711]:2:00000:2026-11-25 07:00:00 UTC::0:6745a1c0.1267:LOG:  checkpoint starting: time';
    expect(readLogLine(early)).toBeNull();
  });

  test('is read whatever the platform recommends', () => {
    for (const kind of platformKinds) {
      for (const prefix of platformOf({ kind }).logs.prefixes) expect(readablePrefixes).toContain(prefix);
      expect(platformOf({ kind }).logs.prefixes.every(tellsWho)).toBe(true);
    }
  });
});

describe('what CloudWatch sends', () => {
  let state: StateService;
  beforeAll(async () => {
    state = await startState();
  });
  afterAll(() => state.close());

  const login = { type: 'secret', secret_arn: 'arn:aws:secretsmanager:eu-west-1:111122223333:secret:x' };
  const server = { host: 'db.example', login, log_group: '/aws/rds/instance/main/postgresql' };
  const { databases } = runtimeConfigurationSchema.parse({
    databases: [
      { id: 'first', name: 'one', ...server },
      { id: 'second', name: 'shop', ...server },
    ],
  });
  const delivery = (logGroup: string, messages: string[], messageType = 'DATA_MESSAGE') => {
    const logEvents = messages.map((message, index) => ({
      id: `event-${index}`,
      timestamp: 1_700_000_000_000,
      message,
    }));
    const data = gzipSync(JSON.stringify({ messageType, logGroup, logStream: 'main.0', logEvents })).toString('base64');
    return { awslogs: { data } };
  };
  const take = async (event: unknown) => {
    const settings = async () => ({ enable_audit: true, max_audit_retention_days: 90 });
    const auditor = createAuditor({ table: state.auditTable, settings });
    return ingestLog(await readSubscription(event), { auditor, databases });
  };
  const recordsOf = async (chain: string) => {
    const { Items = [] } = await state.auditTable.documents.send(
      new QueryCommand({
        TableName: state.auditTable.name,
        KeyConditionExpression: 'pk = :chain',
        ExpressionAttributeValues: { ':chain': chainPartition(chain) },
      }),
    );
    return Items;
  };

  test('joins the trail of the database that it names, without what is in statements', async () => {
    const secret = `${before}LOG:  AUDIT: SESSION,1,1,ROLE,ALTER ROLE,,,"ALTER ROLE bob PASSWORD 'hunter2' VALID UNTIL '2030-01-01'",none`;
    const other = before.replace('@shop', '@elsewhere');
    const messages = [
      secret,
      `${before}LOG:  checkpoint starting`,
      `${other}FATAL:  database "elsewhere" does not exist`,
    ];
    expect(await take(delivery('/aws/rds/instance/main/postgresql', messages))).toEqual({ records: 2, readable: 3 });
    const [statement] = await recordsOf('databases/second');
    expect(statement).toMatchObject({
      source: 'database',
      actor: 'alice',
      operation: 'ALTER ROLE',
      address: '10.0.0.5',
      request_id: 'event-0',
      request: { statement: 'ALTER ROLE bob PASSWORD ? VALID UNTIL ?', logged_at: '2023-11-14T22:13:20.000Z' },
      // Of what the log says, nothing is verified.
      claimed: ['actor', 'operation', 'target', 'address', 'outcome', 'error', 'request'],
    });
    expect(JSON.stringify(statement)).not.toContain('hunter2');
    expect(await recordsOf('databases/first')).toMatchObject([
      { operation: 'login', outcome: 'refused', error: 'unknown_database', request: { database: 'elsewhere' } },
    ]);
  });

  test('is left alone when it is a try, or of a log that is not configured', async () => {
    const lines = [`${before}LOG:  connection authorized: user=alice database=shop`];
    expect(await take(delivery('/aws/rds/instance/main/postgresql', lines, 'CONTROL_MESSAGE'))).toEqual({
      records: 0,
      readable: 0,
    });
    expect(await take(delivery('/aws/rds/instance/other/postgresql', lines))).toEqual({ records: 0, readable: 1 });
    await expect(take({ awslogs: { data: 'AAAA' } })).rejects.toThrow();
  });

  test('is said to be unreadable when no line has a known format', async () => {
    const lines = ['2026-11-25 07:00:00.123 UTC [4711] LOG:  connection authorized: user=alice database=shop'];
    expect(await take(delivery('/aws/rds/instance/main/postgresql', lines))).toEqual({ records: 0, readable: 0 });
  });

  test('is sent again when it could not be recorded', async () => {
    const fault = { service: 'dynamodb', operation: 'TransactWriteItems', status: 400, times: Infinity } as const;
    await state.services.faults.set({ ...fault, code: 'AccessDeniedException' });
    const lines = [`${before}LOG:  connection authorized: user=alice database=shop`];
    await expect(take(delivery('/aws/rds/instance/main/postgresql', lines))).rejects.toMatchObject({
      code: 'audit_unavailable',
    });
    await state.services.faults.clear();
  });
});
