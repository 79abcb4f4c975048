import { quoteIdentifier, quoteQualified } from '../../../postgres/identifiers.ts';
import type { Trigger } from './target.ts';

const ENABLE = { O: 'ENABLE', R: 'ENABLE REPLICA', A: 'ENABLE ALWAYS' } as const;

/** Statements that turn triggers off, and on again as they were. Both belong in one transaction. */
export function switchTriggers(triggers: readonly Trigger[]): { off: string[]; on: string[] } {
  const alter = (what: (trigger: Trigger) => string): string[] =>
    triggers.map(
      (trigger) =>
        `ALTER TABLE ONLY ${quoteQualified(trigger.schema, trigger.table)} ${what(trigger)} TRIGGER ${quoteIdentifier(trigger.name)}`,
    );
  return { off: alter(() => 'DISABLE'), on: alter(({ enabled }) => ENABLE[enabled]) };
}
