// Whether a worker whose time to come back is over went alone or with most of its pool. After a cut each is missed at
// another moment, seconds apart, so whoever is missed first is judged by what is known of all the others.
import { rhythm } from '../../protocol/limits.js';

/** Fewer workers than this can be gone for reasons of their own. */
const manyAtOnce = 3;

/** How long workers that went together may stay away before they count as lost after all, in milliseconds. */
export const massLossPatience = 10 * 60 * 1000;

/** A worker that is out of contact. Times in Unix milliseconds. */
export interface Missed {
  /** When something was heard of it last. */
  readonly last: number;
  /** When it was noticed that it is out of contact, or later. */
  readonly noticed: number;
}

/** A pool as its workers were heard of last; those that were told to leave count only in `all`. */
export interface PoolContacts {
  /** Of those that are out of contact. */
  readonly missed: readonly number[];
  /** Of those that nobody misses yet. */
  readonly present: readonly number[];
  /** How many workers the pool has. */
  readonly all: number;
}

/**
 * `together`: so many of the pool, itself among them, are out of contact at once that it is most of it. `open`: it could
 * be so, because others have not been heard of since; that ends with their next report, or when they are missed, too.
 */
export type Judgement =
  { readonly went: 'alone' | 'open' } | { readonly went: 'together'; readonly workers: number };

/** By this time the worker's line was cut: while it stood, a report came every `heartbeat`. */
export function cutBy({ last, noticed }: Missed): number {
  return Math.min(noticed, last + rhythm.heartbeat);
}

export function judge(worker: Missed, { missed, present, all }: PoolContacts): Judgement {
  const isMost = (workers: number) => workers >= manyAtOnce && workers * 2 > all;
  const cut = cutBy(worker);
  const doubtful = present.filter((last) => last < cut);
  if (!isMost(missed.length + doubtful.length)) return { went: 'alone' };
  const workers = mostAround(worker.last, missed);
  if (isMost(workers)) return { went: 'together', workers };
  return { went: isMost(mostAround(worker.last, [...missed, ...doubtful])) ? 'open' : 'alone' };
}

/**
 * How many contacts, the one at `time` among them, lie within what it takes to notice that somebody is silent. Not all who
 * are out of contact went at once: a control plane that starts takes everybody to be so, whenever they went.
 */
function mostAround(time: number, contacts: readonly number[]): number {
  const near = contacts
    .filter((contact) => Math.abs(contact - time) <= rhythm.silence)
    .toSorted((left, right) => left - right);
  let most = 0;
  let end = 0;
  for (const [start, contact] of near.entries()) {
    if (contact > time) break;
    while (end < near.length && (near[end] ?? contact) - contact <= rhythm.silence) end += 1;
    most = Math.max(most, end - start);
  }
  return most;
}
