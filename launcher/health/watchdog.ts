// Signs of life for systemd's watchdog: a launcher that is stuck sends none, and is then killed and started again.
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { messageOf } from '../../protocol/errors.js';
import type { Clock } from '../clock.js';
import type { Log } from '../log.js';

export interface WatchdogOptions {
  /** systemd sets WATCHDOG_USEC (microseconds) and NOTIFY_SOCKET where the unit has WatchdogSec= (sd_watchdog_enabled(3)). */
  readonly environment: NodeJS.ProcessEnv;
  /** Tells systemd that all is well. */
  readonly notify?: () => Promise<unknown>;
  readonly clock: Clock;
  readonly log: Log;
}

/** Node has no sockets of the kind that systemd listens on; its own program has. */
const systemdNotify = () => promisify(execFile)('systemd-notify', ['WATCHDOG=1'], { timeout: 10_000 });

/** A sign at once and at each third of the time, from the same event loop as everything else. Gives the end of it. */
export function startWatchdog({
  environment,
  notify = systemdNotify,
  clock,
  log,
}: WatchdogOptions): () => void {
  const milliseconds = Number(environment['WATCHDOG_USEC']) / 1000;
  if (!(milliseconds > 0) || environment['NOTIFY_SOCKET'] === undefined) return () => undefined;
  let cancel: () => void = () => undefined;
  let failed = false;
  let ended = false;
  const sign = () => {
    cancel = clock.after(milliseconds / 3, sign);
    notify().then(
      () => {
        failed = false;
      },
      (error: unknown) => {
        // Once: systemd ends what it does not hear of, and this is then the line before.
        if (!failed && !ended)
          log.warn(`systemd's watchdog cannot be told that all is well: ${messageOf(error)}`);
        failed = true;
      },
    );
  };
  sign();
  return () => {
    ended = true;
    cancel();
  };
}
