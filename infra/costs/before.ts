import type { Estimate } from './estimate.ts';
import type { PricedRegion } from './prices.ts';
export const before: { of: string; estimates: Record<PricedRegion, Record<number, Estimate>> } = {
  of: '',
  estimates: {} as never,
};
