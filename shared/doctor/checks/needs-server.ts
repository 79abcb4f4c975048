import type { Feature } from '../../contract/schemas/doctor.ts';

/** What a pooler in between makes impossible; monitoring and what else asks single questions works through one. */
export const needsServerItself: readonly Feature[] = ['backup', 'restore', 'swap', 'recovery', 'masking', 'access'];
