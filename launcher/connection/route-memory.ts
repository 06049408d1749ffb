// Remembers over restarts which way to the control plane has worked: a file in the launcher's state folder. No more than
// a hint: what cannot be read or written costs a moment at the next start, and nothing else.
import { readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { messageOf } from '../../protocol/errors.js';
import type { Log } from '../log.js';

export interface RouteMemory {
  /** Address of the way that worked last; null when none is known. */
  readonly address: string | null;
  /** Never throws, and nobody waits for it. */
  worked(address: string): void;
  /** Resolves when what is known is in the file, or cannot be. */
  settled(): Promise<void>;
}

/** Addresses are short; more is not one of ours. */
const longest = 2048;

/** `folder`: the state folder, which launchers of several pools may share. `pool` and `worker`: their ids. */
export async function openRouteMemory(options: {
  readonly folder: string;
  readonly pool: string;
  readonly worker: string;
  readonly log: Pick<Log, 'debug'>;
}): Promise<RouteMemory> {
  const { folder, pool, worker, log } = options;
  const file = join(folder, `route.${pool}`);
  let address: string | null = await read();
  let writing = Promise.resolve();

  async function read(): Promise<string | null> {
    const text = await readFile(file, 'utf8').catch(() => '');
    return /^\S+\n$/.test(text) && text.length <= longest ? text.trim() : null;
  }

  async function write(text: string): Promise<void> {
    const draft = `${file}.${worker}`;
    try {
      await writeFile(draft, text, { mode: 0o600 });
      await rename(draft, file);
    } catch (error) {
      log.debug(`The way to the control plane cannot be noted: ${messageOf(error)}`);
      await rm(draft, { force: true }).catch(() => undefined);
    }
  }

  return {
    get address() {
      return address;
    },
    worked(now) {
      if (now === address) return;
      address = now;
      writing = writing.then(() => write(`${now}\n`));
    },
    settled: () => writing,
  };
}
