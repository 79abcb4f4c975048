import type { ApiMethod, Stage } from '../template/api.ts';

/** Lets a request through, or not. */
export type Throttle = (method: ApiMethod) => boolean;

/** A token bucket for each of the stage's method settings, as API Gateway throttles: `rate` a second, `burst` at once. */
export function createThrottle(stage: Stage, now: () => number = Date.now): Throttle {
  const buckets = stage.MethodSettings.filter(({ ThrottlingRateLimit }) => ThrottlingRateLimit !== undefined).map(
    (setting) => {
      const rate = setting.ThrottlingRateLimit ?? 0;
      const burst = setting.ThrottlingBurstLimit ?? rate;
      return { setting, rate, burst, tokens: burst, at: now() };
    },
  );
  const applies = ({ HttpMethod, ResourcePath }: Stage['MethodSettings'][number], method: ApiMethod) =>
    (HttpMethod === '*' || HttpMethod === method.httpMethod) &&
    (ResourcePath === '/*' || literalPath(ResourcePath) === method.resourcePath);

  return (method) => {
    const applying = buckets.filter(({ setting }) => applies(setting, method));
    // The most particular setting counts: one for a path before the one for all.
    const bucket = applying.find(({ setting }) => setting.ResourcePath !== '/*') ?? applying[0];
    if (!bucket) return true;
    const time = now();
    bucket.tokens = Math.min(bucket.burst, bucket.tokens + ((time - bucket.at) / 1000) * bucket.rate);
    bucket.at = time;
    if (bucket.tokens < 1) return false;
    bucket.tokens -= 1;
    return true;
  };
}

/** In method settings a slash inside a path is written `~1`. */
const literalPath = (path: string) => path.replace(/^\/(?=~1)/, '').replaceAll('~1', '/');
