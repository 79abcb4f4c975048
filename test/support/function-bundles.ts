import { askFor } from './made-once/ask.ts';

/** Whoever imports this synthesizes with the bundles that the run has made, also in processes that it starts. */
process.env.FUNCTION_BUNDLES = await askFor<string>('bundles');
