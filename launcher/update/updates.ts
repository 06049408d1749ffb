// Updates as the rest of the worker process sees them: one thing that is put beside the launcher, or is not there.
import { createHttpClient, type HttpClientOptions } from '../network/http-client.js';
import type { LauncherRelease } from '../../protocol/launcher-release.js';
import type { Clock } from '../clock.js';
import type { Launcher, LauncherEnd, LauncherObserver } from '../launcher.js';
import type { Log } from '../log.js';
import type { Settings } from '../settings/settings.js';
import { openShelf, shelfFolder } from './shelf.js';
import { createUpdater, type Offer } from './updater.js';
import type { Watcher } from './watched.js';
import type { Hello } from './words.js';

export interface Updates {
  /** What the control plane and `launcher status` are told. */
  readonly about: Pick<Hello, 'base' | 'failed'>;
  readonly observer: LauncherObserver;
  offer(offer: Offer): void;
  /** From now on a release that is ready makes it end. */
  attach(launcher: Pick<Launcher, 'makeWay'>): void;
  /** The launcher has ended, in this way. */
  ended(end: LauncherEnd): void;
  close(): void;
}

export function createUpdates(options: {
  readonly watcher: Watcher;
  readonly settings: Pick<Settings, 'update' | 'stateDirectory'>;
  /** Of the launcher that runs. */
  readonly version: string;
  readonly network: Omit<HttpClientOptions, 'endpoint'>;
  readonly clock: Clock;
  /** From 0 up to, not including, 1. */
  readonly random: () => number;
  readonly log: Log;
}): Updates {
  const { watcher, settings, version, network, clock, random, log } = options;
  const { hello } = watcher;
  const { keys } = settings.update;
  let launcher: Pick<Launcher, 'makeWay'> | undefined;
  let ready: LauncherRelease | undefined;
  const updater = createUpdater({
    keys,
    hello,
    version,
    shelf: openShelf({ folder: shelfFolder(settings.stateDirectory), keys, base: hello.base }),
    client: (endpoint) => createHttpClient({ ...network, endpoint }),
    clock,
    random,
    log,
    onReady: (release) => {
      ready = release;
      launcher?.makeWay(`launcher ${release.version} takes the place of this one`);
    },
  });
  // Nobody is left who would start it; another launcher in this folder may be fetching the same.
  watcher.onGone(() => {
    updater.close();
  });
  return {
    about: { base: hello.base, failed: hello.failed },
    observer: {
      onConnected: () => {
        watcher.say({ type: 'registered' });
      },
    },
    offer: (offer) => {
      updater.offer(offer);
    },
    attach(attached) {
      launcher = attached;
    },
    ended(end) {
      if (end === 'made-way' && ready !== undefined)
        watcher.say({ type: 'update', version: ready.version, released: ready.released });
    },
    close: () => {
      updater.close();
    },
  };
}
