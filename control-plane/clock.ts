// Time and identity come in from outside, so that the rules can be tested without waiting.
import { ulid } from 'ulid';

export interface Clock {
  /** Unix time in milliseconds. */
  now(): number;
}

export interface Ids {
  /** A new ULID. */
  next(): string;
}

export const systemClock: Clock = { now: () => Date.now() };
export const randomIds: Ids = { next: () => ulid() };
