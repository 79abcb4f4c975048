type Exercise = { by: string } | { not: string };

/**
 * How each function that logs in to databases meets the hostile database: in a test of hostile.db.test.ts whose name has these words, or not, and
 * why. The functions come from the synthesized template, so that a new one must be entered here.
 */
export const exercises: Readonly<Record<string, Exercise>> = {
  'sample-health': { by: 'monitoring, sessions and access' },
  'health-api': { by: 'monitoring, sessions and access' },
  'access-api': { by: 'monitoring, sessions and access' },
  'note-logins': { by: 'monitoring, sessions and access' },
  'check-compliance': { by: 'compliance' },
  'compliance-api': { by: 'compliance' },
  'examine-databases': { by: 'the doctor' },
  'doctor-api': { by: 'the doctor' },
  'recovery-api': { by: 'recovery runs nothing of it when it looks' },
  'masking-api': { by: 'masking' },
  backup: { by: 'backups' },
  'snapshot-holder': { by: 'backups' },
  'export-lane': { by: 'backups' },
  'restore-server-api': { by: 'the check of it' },
  restore: { by: 'what runs is what the check names' },
  validate: { by: 'a drill' },
  'rotate-password': { not: 'It sends ALTER ROLE and SELECT 1, which read no object of the database.' },
  'capture-changes': {
    not: 'It reads a replication slot, which runs nothing. Its event triggers are tested where definitions are captured.',
  },
  'expire-changes': { not: 'It drops a replication slot.' },
};
