// Many runs at once: how many a second are triggered, played through by a crowd of workers and finished.
import type { ApiClient } from '../../control-plane/cli/api/client.js';
import { triggerRun } from '../../control-plane/cli/api/runs.js';
import { elapsed } from '../clock.js';

/** Clients that trigger at the same time. */
const atOnce = 4;

export interface Volleys {
  /** To be told of each run that a worker has finished. */
  readonly onFinished: () => void;
  /** Runs per second. `clients`: used in turn. */
  fire(clients: readonly ApiClient[], stack: string, runs: number): Promise<number>;
}

export function createVolleys(): Volleys {
  let left = 0;
  let whenAll: () => void = () => undefined;
  return {
    onFinished: () => {
      left -= 1;
      if (left === 0) whenAll();
    },
    async fire(clients, stack, runs) {
      left = runs;
      const time = await elapsed(async () => {
        const all = new Promise<void>((resolve) => {
          whenAll = resolve;
        });
        let begun = 0;
        const trigger = async () => {
          while (begun < runs) {
            const client = clients[begun % clients.length];
            begun += 1;
            if (client !== undefined) await triggerRun(client, { stack, runType: 'PROPOSED' });
          }
        };
        await Promise.all(Array.from({ length: atOnce }, trigger));
        await all;
      });
      return runs / (time / 1000);
    },
  };
}
