import { EventEmitter } from 'node:events';
import type { RequestListener } from 'node:http';
import { join } from 'node:path';
import * as z from 'zod';
import { type Access, callerOf } from '../iam/access.ts';
import type { AccessRequest } from '../iam/evaluate.ts';
import type { StateDisk } from '../state-disk.ts';
import { localArn } from './account.ts';
import { AwsError, asAwsError } from './errors.ts';
import type { FaultList } from './faults.ts';
import { readBody, send } from './http.ts';
import { openStateFile } from './state-file.ts';

const name = z.string().regex(/^[0-9a-zA-Z-_.]{1,64}$/);

const scheduleInput = z.looseObject({
  GroupName: name.default('default'),
  ScheduleExpression: z.string().regex(/^(cron|rate|at)\(.+\)$/, 'must be a cron, rate or at expression'),
  ScheduleExpressionTimezone: z.string().default('UTC'),
  State: z.enum(['ENABLED', 'DISABLED']).default('ENABLED'),
  FlexibleTimeWindow: z.object({ Mode: z.enum(['OFF', 'FLEXIBLE']), MaximumWindowInMinutes: z.int().optional() }),
  Target: z.looseObject({ Arn: z.string(), RoleArn: z.string(), Input: z.string().optional() }),
  /** Seconds since 1970. */
  StartDate: z.number().optional(),
  EndDate: z.number().optional(),
});

/** A schedule as `GetSchedule` answers it; dates in seconds since 1970. */
type Schedule = z.output<typeof scheduleInput> & {
  Name: string;
  Arn: string;
  CreationDate: number;
  LastModificationDate: number;
};

type Group = { Name: string; Arn: string; State: 'ACTIVE'; CreationDate: number; LastModificationDate: number };
type State = { schedules: Record<string, Schedule>; groups: Record<string, Group> };

/** What runs the schedules needs to know of them. */
export type Schedules = {
  list(): Schedule[];
  /** Calls back after every change; gives the function that ends it. */
  subscribe(listener: () => void): () => void;
};

export type LocalScheduler = {
  schedules: Schedules;
  /** Makes or replaces a schedule, as deploying a template does; gives its ARN. */
  putSchedule(name: string, schedule: z.input<typeof scheduleInput>): Promise<string>;
  listener(faults: FaultList, access: Access): RequestListener;
  close(): Promise<void>;
};

/** What the rights to a call depend on. */
const passing = z.looseObject({
  GroupName: z.string().optional(),
  Target: z.looseObject({ RoleArn: z.string().optional() }).optional(),
});

type Call = { name: string; query: URLSearchParams; body: unknown };

/** Amazon EventBridge Scheduler: keeps schedules and tells of changes; running them is the schedule runner's part. */
export async function openScheduler(stateFolder: string, disk: StateDisk): Promise<LocalScheduler> {
  const file = await openStateFile<State>(join(stateFolder, 'scheduler.json'), { schedules: {}, groups: {} }, disk);
  const { schedules, groups } = file.value;
  const changes = new EventEmitter();
  const notFound = (what: string) => new AwsError('ResourceNotFoundException', `${what} does not exist.`, 404);
  const newGroup = (groupName: string): Group => {
    const now = Date.now() / 1000;
    return {
      Name: groupName,
      Arn: localArn('scheduler', `schedule-group/${groupName}`),
      State: 'ACTIVE',
      CreationDate: now,
      LastModificationDate: now,
    };
  };
  groups.default ??= newGroup('default');

  async function changed(): Promise<void> {
    await file.save();
    changes.emit('change');
  }

  async function put(
    scheduleName: string,
    input: unknown,
    mode: 'create' | 'update' | 'any',
  ): Promise<{ ScheduleArn: string }> {
    const parsed = scheduleInput.safeParse(input);
    if (!parsed.success) throw new AwsError('ValidationException', z.prettifyError(parsed.error));
    const { GroupName } = parsed.data;
    if (!groups[GroupName]) throw notFound(`Schedule group ${GroupName}`);
    const key = `${GroupName}/${name.parse(scheduleName)}`;
    const before = schedules[key];
    if (before && mode === 'create')
      throw new AwsError('ConflictException', `Schedule ${scheduleName} already exists.`, 409);
    if (!before && mode === 'update') throw notFound(`Schedule ${scheduleName}`);
    const now = Date.now() / 1000;
    const Arn = localArn('scheduler', `schedule/${key}`);
    schedules[key] = {
      ...parsed.data,
      Name: scheduleName,
      Arn,
      CreationDate: before?.CreationDate ?? now,
      LastModificationDate: now,
    };
    await changed();
    return { ScheduleArn: Arn };
  }

  function find({ name: scheduleName, query }: Call): { key: string; schedule: Schedule } {
    const key = `${query.get('groupName') ?? 'default'}/${scheduleName}`;
    const schedule = schedules[key];
    if (!schedule) throw notFound(`Schedule ${scheduleName}`);
    return { key, schedule };
  }

  const operations: Record<string, (call: Call) => Promise<object> | object> = {
    CreateSchedule: ({ name: scheduleName, body }) => put(scheduleName, body, 'create'),
    UpdateSchedule: ({ name: scheduleName, body }) => put(scheduleName, body, 'update'),
    GetSchedule: (call) => find(call).schedule,
    DeleteSchedule: async (call) => {
      delete schedules[find(call).key];
      await changed();
      return {};
    },
    ListSchedules: ({ query }) => ({
      Schedules: Object.values(schedules)
        .filter((one) => (query.get('ScheduleGroup') ?? one.GroupName) === one.GroupName)
        .filter(
          (one) =>
            one.Name.startsWith(query.get('NamePrefix') ?? '') && (query.get('State') ?? one.State) === one.State,
        )
        .map(({ Target, ...one }) => ({ ...one, Target: { Arn: Target.Arn } })),
    }),
    CreateScheduleGroup: async ({ name: groupName }) => {
      if (groups[groupName])
        throw new AwsError('ConflictException', `Schedule group ${groupName} already exists.`, 409);
      const group = newGroup(name.parse(groupName));
      groups[groupName] = group;
      await file.save();
      return { ScheduleGroupArn: group.Arn };
    },
    GetScheduleGroup: ({ name: groupName }) => {
      const group = groups[groupName];
      if (!group) throw notFound(`Schedule group ${groupName}`);
      return group;
    },
    ListScheduleGroups: () => ({ ScheduleGroups: Object.values(groups) }),
    DeleteScheduleGroup: async ({ name: groupName }) => {
      if (!groups[groupName]) throw notFound(`Schedule group ${groupName}`);
      delete groups[groupName];
      for (const [key, { GroupName }] of Object.entries(schedules)) if (GroupName === groupName) delete schedules[key];
      await changed();
      return {};
    },
  };

  return {
    schedules: {
      list: () => structuredClone(Object.values(schedules)),
      subscribe: (listener) => {
        changes.on('change', listener);
        return () => changes.off('change', listener);
      },
    },
    putSchedule: async (scheduleName, schedule) => (await put(scheduleName, schedule, 'any')).ScheduleArn,
    listener: (faults, access) => async (request, response) => {
      try {
        const url = new URL(request.url ?? '/', 'http://localhost');
        const called = operationName(request.method ?? '', url.pathname);
        const body = await readBody(request);
        faults.check('scheduler', called);
        const run = operations[called];
        if (!run) throw new AwsError('UnknownOperationException', `The local Scheduler has no ${called}`, 404);
        const scheduleName = decodeURIComponent(url.pathname.split('/')[2] ?? '');
        const call = {
          name: scheduleName,
          query: url.searchParams,
          body: body.length > 0 ? JSON.parse(body.toString()) : {},
        };
        const caller = callerOf(request.headers.authorization);
        if (access.isLimited(caller)) access.check(caller, requestsOf(called, call));
        const answer = await run(call);
        send(response, 200, 'application/json', JSON.stringify(answer));
      } catch (error) {
        const { code, message, status } = asAwsError(error);
        response.setHeader('x-amzn-errortype', code);
        send(response, status, 'application/json', JSON.stringify({ Message: message }));
      }
    },
    close: async () => {
      changes.removeAllListeners();
      await file.close();
    },
  };
}

/** Whoever gives a schedule a role must be allowed to pass it on. */
function requestsOf(called: string, { name: scheduleName, query, body }: Call): AccessRequest[] {
  const given = passing.parse(body);
  const group = given.GroupName ?? query.get('groupName') ?? 'default';
  const resource = called.endsWith('Group')
    ? localArn('scheduler', `schedule-group/${scheduleName}`)
    : localArn('scheduler', `schedule/${group}/${called.startsWith('List') ? '*' : scheduleName}`);
  const role = given.Target?.RoleArn;
  const context = { 'iam:PassedToService': 'scheduler.amazonaws.com' };
  return [
    { action: `scheduler:${called}`, resource },
    ...(role === undefined ? [] : [{ action: 'iam:PassRole', resource: role, context }]),
  ];
}

/** REST calls named as the API names them: a method on a collection or on one of its members. */
function operationName(method: string, path: string): string {
  const [, collection, member] = path.split('/');
  const noun = collection === 'schedules' ? 'Schedule' : collection === 'schedule-groups' ? 'ScheduleGroup' : '';
  const verb = { POST: 'Create', GET: 'Get', PUT: 'Update', DELETE: 'Delete' }[method];
  if (noun === '' || verb === undefined) return `${method} ${path}`;
  return member ? `${verb}${noun}` : `List${noun}s`;
}
