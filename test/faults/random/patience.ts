// Waiting: for what other processes bring about, and for a control plane that was killed in between.
import { setTimeout as sleep } from 'node:timers/promises';
import { PoolwrightError } from '../../../protocol/errors.js';

/** Milliseconds. On a machine with nothing else to do none of it takes more than some seconds. */
const limit = 180_000;
const pause = 100;

export function isUnavailable(error: unknown): boolean {
  return error instanceof PoolwrightError && error.code === 'UNAVAILABLE';
}

/** Calls until there is an answer. Only for what may be said twice. */
export async function patiently<Value>(call: () => Promise<Value>): Promise<Value> {
  const end = performance.now() + limit;
  for (;;) {
    try {
      return await call();
    } catch (error) {
      if (!isUnavailable(error) || performance.now() > end) throw error;
      await sleep(pause);
    }
  }
}

/** Looks ten times a second until the answer is yes; `what` names it when it stays no for `within` milliseconds. */
export async function eventually(
  look: () => boolean | Promise<boolean>,
  what: () => string,
  within = limit,
): Promise<void> {
  const end = performance.now() + within;
  while (!(await look())) {
    if (performance.now() > end) throw new Error(`Waited ${String(within / 1000)} s for ${what()}`);
    await sleep(pause);
  }
}
