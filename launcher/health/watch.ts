// Whether this worker is of any use: one that was not connected for too long, and has no run, should be replaced.
import type { Clock } from '../clock.js';
import type { LauncherObserver } from '../launcher.js';

export interface HealthState {
  /** False: this worker should be replaced. */
  readonly healthy: boolean;
  readonly connected: boolean;
  readonly busy: boolean;
  /** Seconds since the connection was made or lost; since the start, when there was none yet. */
  readonly forSeconds: number;
  /** Why it is not connected; null when it is, or when nothing is known yet. */
  readonly reason: string | null;
}

export interface ConnectionWatch extends LauncherObserver {
  onConnected(): void;
  onDisconnected(reason: string): void;
  onRunStarted(): void;
  onRunOver(): void;
  state(): HealthState;
  close(): void;
}

export interface WatchOptions {
  readonly clock: Clock;
  /** Milliseconds without a connection after which the worker is of no use; null: never. */
  readonly limit: number | null;
  /** Called once, when that long is over and there is no run. `reason` is a sentence without its full stop. */
  readonly onOver: (milliseconds: number, reason: string) => void;
}

/** Counts from now on: a launcher that never connects is of no use either. */
export function watchConnection({ clock, limit, onOver }: WatchOptions): ConnectionWatch {
  let connected = false;
  let busy = false;
  let since = clock.monotonic();
  let reason: string | null = null;
  let over = false;
  let cancel: () => void = () => undefined;

  const elapsed = () => clock.monotonic() - since;
  const late = () => limit !== null && !connected && elapsed() >= limit;

  function look(): void {
    cancel();
    if (limit === null || connected || over) return;
    const left = limit - elapsed();
    if (left > 0) {
      cancel = clock.after(left, look);
      return;
    }
    // A run is never given up for this: it may well be going on, and its result is kept until it can be told.
    if (busy) return;
    over = true;
    onOver(elapsed(), reason ?? 'it never was');
  }

  function change(now: boolean): void {
    if (connected === now) return;
    connected = now;
    since = clock.monotonic();
    look();
  }

  look();
  return {
    onConnected() {
      reason = null;
      change(true);
    },
    onDisconnected(why) {
      reason = why;
      change(false);
    },
    onRunStarted() {
      busy = true;
    },
    onRunOver() {
      busy = false;
      look();
    },
    state: () => ({
      healthy: busy || !late(),
      connected,
      busy,
      forSeconds: Math.floor(elapsed() / 1000),
      reason,
    }),
    close() {
      over = true;
      cancel();
    },
  };
}
