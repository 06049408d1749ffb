// What the containers `init` and `launcher-grpc` have in common: their places, their secret, their line to the control
// plane, signals, and a last word.
import { writeFileSync } from 'node:fs';
import { places as standardPlaces } from '../../../protocol/kubernetes/names.js';
import { messageOf } from '../../../protocol/errors.js';
import type { WorkState } from '../../../protocol/runs.js';
import { systemClock } from '../../clock.js';
import { createLog, type Log } from '../../log.js';
import type { ProxySettings } from '../../network/proxies.js';
import { trustedCertificates } from '../../network/tls.js';
import { proxiesOf } from '../proxies.js';
import { createWorkerApi, type WorkerApi } from '../../run/worker-api.js';
import { readRunSecret, type LastWord, type RunSecret } from './assignment-files.js';

export type Places = Readonly<Record<keyof typeof standardPlaces, string>>;

export interface Container {
  readonly secret: RunSecret;
  readonly api: WorkerApi;
  readonly log: Log;
  readonly places: Places;
  readonly proxies: ProxySettings;
  /** Number of the last record that the control plane has of this attempt. */
  readonly acknowledged: number;
  /** Notes what the run does, for the case that this container is killed. */
  readonly note: (state: WorkState) => void;
  /** Unix milliseconds. The control plane's clock is known to nobody in here; the node's is what there is. */
  readonly now: () => number;
}

export interface ContainerOptions {
  readonly places?: Partial<Places>;
  /** Where the last word goes. Default: that of Kubernetes. */
  readonly terminationFile?: string;
}

/** Exit codes: 0 the result is told and fine, 1 it is told and not fine, 3 the controller has to tell it. */
export const exits = { fine: 0, failed: 1, untold: 3 } as const;

/** Runs `work` with what it needs and leaves its last word. Resolves to the exit code. */
export async function inContainer(
  options: ContainerOptions,
  work: (container: Container, terminated: AbortSignal) => Promise<LastWord>,
): Promise<number> {
  const log = createLog({
    format: 'json',
    debug: false,
    write: (text) => process.stdout.write(text),
    now: () => systemClock.now(),
  });
  const terminated = new AbortController();
  const onSignal = () => {
    terminated.abort();
  };
  process.on('SIGTERM', onSignal).on('SIGINT', onSignal);
  const places = { ...standardPlaces, ...options.places };
  const secret = await readRunSecret(places.assignment);
  const { assignment } = secret;
  const proxies = proxiesOf(process.env);
  const api = createWorkerApi({
    ...assignment.bulk,
    run: assignment.run,
    attempt: assignment.attempt,
    authorities: () => trustedCertificates(secret.authorities, process.env),
    own: { authorities: secret.authorities, now: () => systemClock.now() },
    proxies,
    clock: systemClock,
    random: Math.random,
    log,
  });
  const terminationFile = options.terminationFile ?? '/dev/termination-log';
  let state: WorkState = 'PREPARING';
  const say = (word: LastWord) => {
    try {
      writeFileSync(terminationFile, JSON.stringify({ ...word, state }));
    } catch (error) {
      log.warn(`The last word could not be written: ${messageOf(error)}`);
    }
  };
  const word = await lastWordOf(
    async () => {
      const acknowledged = await api.sendSpool(Buffer.alloc(0), terminated.signal);
      return work(
        {
          secret,
          api,
          log,
          places,
          proxies,
          acknowledged,
          note: (next) => {
            if (next === state) return;
            state = next;
            say({ delivered: false, outcome: 'failed' });
          },
          now: () => systemClock.now(),
        },
        terminated.signal,
      );
    },
    log,
    terminated.signal,
  );
  api.close();
  say(word);
  process.off('SIGTERM', onSignal).off('SIGINT', onSignal);
  if (!word.delivered) return word.outcome === 'prepared' ? exits.fine : exits.untold;
  return word.outcome === 'finished' ? exits.fine : exits.failed;
}

async function lastWordOf(
  work: () => Promise<LastWord>,
  log: Log,
  terminated: AbortSignal,
): Promise<LastWord> {
  try {
    return await work();
  } catch (error) {
    if (isStale(error)) {
      log.info(messageOf(error));
      return { delivered: true, outcome: 'dropped' };
    }
    if (!terminated.aborted) log.error(`A fault: ${error instanceof Error ? (error.stack ?? '') : ''}`);
    return { delivered: false, outcome: 'failed' };
  }
}

export function isStale(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === 'STALE_ATTEMPT';
}
