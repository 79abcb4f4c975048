import { routes } from '../../shared/contract/routes.ts';

type Exercise = { by: string } | { not: string };

const byItself = { by: 'its handler runs nothing of it' };
const byItsRoutes = { by: 'its routes run nothing of it' };

/**
 * How each function that logs in to databases meets the hostile database: in a test of this folder whose name has these words, or not, and why.
 * The functions come from the synthesized template, so that a new one must be entered here.
 */
export const exercises: Readonly<Record<string, Exercise>> = {
  'sample-health': byItself,
  'note-logins': byItself,
  'check-compliance': byItself,
  'examine-databases': byItself,
  'capture-changes': byItself,
  'rotate-password': byItself,
  'health-api': byItsRoutes,
  'access-api': byItsRoutes,
  'compliance-api': byItsRoutes,
  'doctor-api': byItsRoutes,
  'recovery-api': byItsRoutes,
  'masking-api': byItsRoutes,
  'restore-server-api': { by: 'a restore of each mode runs what the check names' },
  backup: { by: 'backups of every type run nothing of it' },
  'snapshot-holder': { by: 'a distributed backup runs nothing of it' },
  'export-lane': { by: 'a distributed backup runs nothing of it' },
  restore: { by: 'a restore of each mode runs what the check names' },
  validate: { by: 'a drill runs it as a login that has no rights' },
};

/** Handlers that are called as they are. */
export const handlersCalled: readonly string[] = Object.keys(exercises).filter((name) => exercises[name] === byItself);

/** Routes of functions that log in, which a caller may call. */
export const routesCalled = routes.filter(({ servedBy }) => exercises[servedBy] === byItsRoutes);

/** What a job of a function may be told to do, by the enumerations of the contract, and the tests of this folder that do it. */
export const features: Readonly<Record<string, Readonly<Record<string, Exercise>>>> = {
  backup_type: {
    full: { by: 'backups of every type run nothing of it' },
    schema: { by: 'backups of every type run nothing of it' },
    data: { by: 'backups of every type run nothing of it' },
    incremental: { not: 'It is made of stored changes, without the database.' },
  },
  mode: {
    new: { by: 'a restore of each mode runs what the check names' },
    swap: { by: 'a restore of each mode runs what the check names' },
    data: { by: 'a restore of each mode runs what the check names' },
    beside: { by: 'a restore of each mode runs what the check names' },
  },
  level: {
    integrity: { not: 'It reads the stored objects, without a database.' },
    restore: { by: 'a drill runs it as a login that has no rights' },
  },
  recovery: {
    on: byItsRoutes,
    off: byItsRoutes,
    paused: byItsRoutes,
  },
};
