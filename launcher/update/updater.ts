// In the worker process: looks at the releases that the control plane offers, fetches one that is of use, and lets the
// launcher end for it.
import type { KeyObject } from 'node:crypto';
import { mkdir, rm } from 'node:fs/promises';
import { dirname } from 'node:path';
import { messageOf, PoolwrightError } from '../../protocol/errors.js';
import type { LauncherRelease } from '../../protocol/launcher-release.js';
import type { ReleaseOffer } from '../../protocol/messages.js';
import { verifyRelease } from '../../protocol/release-signing.js';
import { createBackoff } from '../backoff.js';
import { sleep, type Clock } from '../clock.js';
import type { Log } from '../log.js';
import type { HttpClient } from '../network/http-client.js';
import { fetchBundle } from './fetch.js';
import { writeDurably, type Shelf } from './shelf.js';
import type { Hello } from './words.js';

export type Offer = Pick<ReleaseOffer, 'release' | 'within' | 'bulk'>;

export interface Updater {
  /** Never throws; what comes of it is logged. */
  offer(offer: Offer): void;
  close(): void;
}

export interface UpdaterOptions {
  readonly keys: readonly KeyObject[];
  readonly hello: Pick<Hello, 'base' | 'newest'>;
  /** Of the launcher that runs. */
  readonly version: string;
  readonly shelf: Shelf;
  readonly client: (endpoint: string) => HttpClient;
  readonly clock: Clock;
  /** From 0 up to, not including, 1. */
  readonly random: () => number;
  readonly log: Log;
  /** The release is on the shelf: the launcher is to end when it has no run. */
  readonly onReady: (release: LauncherRelease) => void;
}

const retry = { base: 1_000, ceiling: 60_000 } as const;

export function createUpdater(options: UpdaterOptions): Updater {
  const { keys, hello, version, shelf, clock, random, log } = options;
  let pending: LauncherRelease | undefined;
  let work = new AbortController();
  /** One after the other: an older release that is just being put on the shelf does not come to lie above a newer one. */
  let taken: Promise<void> = Promise.resolve();
  /** What was said of an offer that is of no use; it comes again with each connection. */
  let said = '';

  function say(how: 'info' | 'error', message: string, fields: { readonly launcher?: string } = {}): void {
    if (message === said) return;
    said = message;
    log[how](message, fields);
  }

  /** Undefined when it is of no use. */
  function usable(offer: Offer): LauncherRelease | undefined {
    let release: LauncherRelease;
    try {
      release = verifyRelease(offer.release, keys);
    } catch (error) {
      say('error', messageOf(error));
      return undefined;
    }
    if (release.released <= hello.newest || release.version === version) return undefined;
    if (!release.bases.includes(hello.base)) {
      say(
        'info',
        `Launcher ${release.version} is offered, but not for machines with launcher ${hello.base}: nothing is taken.`,
        { launcher: release.version },
      );
      return undefined;
    }
    return release;
  }

  async function take(release: LauncherRelease, offer: Offer, signal: AbortSignal): Promise<void> {
    const wait = random() * offer.within;
    const fields = { launcher: release.version };
    log.info(
      `Launcher ${release.version} is offered: it is taken in ${String(Math.round(wait / 1000))} s.`,
      fields,
    );
    await sleep(clock, wait, signal);
    signal.throwIfAborted();
    if (!(await shelf.holds(release))) await fetchWhole(release, offer, signal);
    signal.throwIfAborted();
    await shelf.put('next', offer.release);
    options.onReady(release);
  }

  async function fetchWhole(release: LauncherRelease, offer: Offer, signal: AbortSignal): Promise<void> {
    const path = shelf.bundle(release);
    const part = path.replace(/\.cjs$/, '.part');
    await mkdir(dirname(path), { recursive: true, mode: 0o700 });
    const { endpoint, token } = offer.bulk;
    const client = options.client(endpoint);
    const backoff = createBackoff({ ...retry, random });
    try {
      for (let told = false; ; told = true) {
        signal.throwIfAborted();
        try {
          const bytes = await fetchBundle({ client, token, release, part, signal });
          await writeDurably(path, bytes);
          await rm(part, { force: true });
          return;
        } catch (error) {
          signal.throwIfAborted();
          if (error instanceof PoolwrightError) throw error;
          if (!told)
            log.warn(
              `Launcher ${release.version} cannot be fetched yet (${messageOf(error)}). Trying again.`,
            );
          await sleep(clock, backoff.next(), signal);
        }
      }
    } finally {
      client.close();
    }
  }

  return {
    offer(offer) {
      const release = usable(offer);
      if (release === undefined || release.released <= (pending?.released ?? 0)) return;
      work.abort();
      work = new AbortController();
      pending = release;
      const { signal } = work;
      taken = taken
        .then(() => take(release, offer, signal))
        .catch((error: unknown) => {
          if (signal.aborted) return;
          // The next offer, which comes with the next connection, is another try.
          pending = undefined;
          say('error', `Launcher ${release.version} was not taken: ${messageOf(error)}`, {
            launcher: release.version,
          });
        });
    },
    close() {
      work.abort();
    },
  };
}
