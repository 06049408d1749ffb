// What has changed, told inside the process after the change is committed: wakes the scheduler and live views.
// An event is a hint to look again, never the only record of a change.
import type { RunState } from '../protocol/runs.js';

export type ControlPlaneEvent =
  /** A run was made or changed state, position or cause. */
  | {
      readonly kind: 'run';
      readonly run: string;
      readonly stack: string;
      readonly pool: string;
      readonly state: RunState;
    }
  /** New log records of a run are stored. */
  | { readonly kind: 'log'; readonly run: string }
  /** A worker came, went, changed status or took a run. `free`: it may be given one now. */
  | { readonly kind: 'worker'; readonly pool: string; readonly worker: string; readonly free: boolean }
  /** A run was given to a worker; it had waited for `waited` milliseconds. */
  | { readonly kind: 'assigned'; readonly run: string; readonly pool: string; readonly waited: number }
  | { readonly kind: 'pool'; readonly pool: string }
  | { readonly kind: 'stack'; readonly stack: string };

/** Whether the change was made by this process or by another one on the same database. */
export type Origin = 'here' | 'elsewhere';

export interface Events {
  /** Default: the change was made here. */
  emit(event: ControlPlaneEvent, origin?: Origin): void;
  /** Calls back for every event until the returned function is called. */
  subscribe(listener: (event: ControlPlaneEvent, origin: Origin) => void): () => void;
}

/** `onFault` gets what a listener throws: one broken view must not stop the others, nor the change it looks at. */
export function createEvents(onFault: (error: unknown) => void): Events {
  const listeners = new Set<(event: ControlPlaneEvent, origin: Origin) => void>();
  return {
    emit(event, origin = 'here') {
      for (const listener of [...listeners]) {
        try {
          listener(event, origin);
        } catch (error) {
          onFault(error);
        }
      }
    },
    subscribe(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
  };
}
