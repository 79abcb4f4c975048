import type { PlatformLogs } from '../platform.ts';

/** The two prefixes that parameter groups take, the default one first: Amazon RDS User Guide, "RDS for PostgreSQL database log files". */
export const managedLogs: PlatformLogs = {
  takesNoOther: true,
  prefixes: ['%t:%r:%u@%d:[%p]:', '%m:%r:%u@%d:[%p]:%l:%e:%s:%v:%x:%c:%q%a:'],
};
