import type { Theme } from '../../contract/schemas/compliance.ts';
import type { AnyRule } from './rule.ts';
import { accessRules } from './rules/access.ts';
import { authenticationRules } from './rules/authentication.ts';
import { awsRules } from './rules/aws.ts';
import { backupRules } from './rules/backups.ts';
import { codeRules } from './rules/code.ts';
import { foreignRules } from './rules/foreign.ts';
import { instanceRules } from './rules/instance.ts';
import { limitRules } from './rules/limits.ts';
import { loggingRules } from './rules/logging.ts';
import { managedRoleRules } from './rules/managed-roles.ts';
import { passwordRules } from './rules/passwords.ts';
import { privilegeRules } from './rules/privileges.ts';
import { roleRules } from './rules/roles.ts';
import { rowSecurityRules } from './rules/row-security.ts';
import { tlsRules } from './rules/tls.ts';

/** All rules by theme, in the order in which they are reported. */
const themes = {
  tls: tlsRules,
  passwords: passwordRules,
  authentication: authenticationRules,
  roles: roleRules,
  privileges: privilegeRules,
  row_security: rowSecurityRules,
  code: codeRules,
  foreign_servers: foreignRules,
  logging: loggingRules,
  limits: limitRules,
  backups: backupRules,
  aws: [...awsRules, ...instanceRules, ...managedRoleRules],
  access: accessRules,
} as const satisfies Record<Theme, readonly unknown[]>;

/** Every rule with its theme. */
export const rules: readonly { theme: Theme; rule: AnyRule }[] = Object.entries(themes).flatMap(([theme, some]) =>
  some.map((rule) => ({ theme: theme as Theme, rule: rule as AnyRule })),
);

/** Ids of the rules; each is unique. */
export const ruleIds: readonly string[] = rules.map(({ rule }) => rule.id);
