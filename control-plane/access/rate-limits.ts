// How often a key may ask, an address without one, and a webhook be told: a bucket of tokens for each, refilled evenly.
import { PoolwrightError } from '../../protocol/errors.js';
import type { Clock } from '../clock.js';

export interface Rate {
  /** Requests a second, over time. */
  readonly perSecond: number;
  /** Requests at once, after a rest. */
  readonly burst: number;
}

export interface RateLimits {
  /** Counts one request of a key, be it for the API or for a page. Throws RATE_LIMITED that says when to come back. */
  key(id: string): void;
  /** Counts one genuine delivery to a webhook. Throws RATE_LIMITED. */
  webhook(id: string): void;
  /** Counts one request without a valid credential. Throws RATE_LIMITED. */
  address(address: string): void;
}

interface Bucket {
  readonly left: number;
  /** Unix milliseconds. */
  readonly at: number;
}

export type Rates = Readonly<Record<keyof RateLimits, Rate>>;

/**
 * What a busy autoscaler, exporter and page need many times over; what a push of all branches of a large repository brings
 * at once; and what guessing secrets must not have.
 */
export const usualRates: Rates = {
  key: { perSecond: 200, burst: 1000 },
  webhook: { perSecond: 20, burst: 1000 },
  address: { perSecond: 10, burst: 100 },
};

/** Buckets kept at most; beyond it those that are full again are forgotten. */
const mostBuckets = 10_000;

export function createRateLimits(clock: Clock, rates: Rates): RateLimits {
  const count = (rate: Rate, what: string) => {
    const buckets = new Map<string, Bucket>();
    return (id: string) => {
      const now = clock.now();
      const bucket = buckets.get(id) ?? { left: rate.burst, at: now };
      const left = refilled(bucket, rate, now);
      if (!buckets.has(id) && buckets.size >= mostBuckets) forgetFull(buckets, rate, now);
      if (left < 1) {
        buckets.set(id, { left, at: now });
        const wait = Math.ceil((1 - left) / rate.perSecond);
        throw new PoolwrightError(
          'RATE_LIMITED',
          `Too many requests of this ${what}: expected at most ${String(rate.perSecond)} a second. Try again in ${String(wait)} s.`,
        );
      }
      buckets.set(id, { left: left - 1, at: now });
    };
  };
  return {
    key: count(rates.key, 'API key'),
    webhook: count(rates.webhook, 'webhook'),
    address: count(rates.address, 'address'),
  };
}

/** A clock that is set back takes nothing out. */
function refilled({ left, at }: Bucket, { perSecond, burst }: Rate, now: number): number {
  return Math.min(burst, left + (Math.max(0, now - at) / 1000) * perSecond);
}

function forgetFull(buckets: Map<string, Bucket>, rate: Rate, now: number): void {
  for (const [id, bucket] of buckets) {
    if (refilled(bucket, rate, now) >= rate.burst) buckets.delete(id);
  }
  // All of them busy: the oldest goes, which only gives it a fresh start.
  const oldest = buckets.keys().next().value;
  if (buckets.size >= mostBuckets && oldest !== undefined) buckets.delete(oldest);
}
