// The worker process's side of the channel to the launcher that watches it.
import { once } from 'node:events';
import { PoolwrightError } from '../../protocol/errors.js';
import { toWorkerSchema, type FromWorker, type Hello } from './words.js';

export interface Watcher {
  readonly hello: Hello;
  say(words: FromWorker): void;
  /** Calls back for each signal that the launcher got, also for those before this call. */
  onSignal(listener: (signal: NodeJS.Signals) => void): void;
  /** Calls back when the launcher that watches is gone; at once when it is. */
  onGone(listener: () => void): void;
}

/** Throws INVALID_ARGUMENT when nobody watches. */
export async function meetWatcher(): Promise<Watcher> {
  if (!process.connected)
    throw new PoolwrightError(
      'INVALID_ARGUMENT',
      'This command is what the launcher starts itself when it takes updates. Start it without the command.',
    );
  const signals: NodeJS.Signals[] = [];
  let onSignal: (signal: NodeJS.Signals) => void = (signal) => {
    signals.push(signal);
  };
  let greet: (hello: Hello) => void = () => undefined;
  const greeted = new Promise<Hello>((resolve) => {
    greet = resolve;
  });
  process.on('message', (message) => {
    const read = toWorkerSchema.safeParse(message);
    if (!read.success) return;
    if (read.data.type === 'hello') greet(read.data);
    else onSignal(read.data.signal);
  });
  // They are for the process that was started; it passes them on.
  for (const signal of ['SIGTERM', 'SIGINT'] as const) process.on(signal, () => undefined);
  const hello = await Promise.race([greeted, once(process, 'disconnect').then(() => undefined)]);
  if (hello === undefined) throw new PoolwrightError('LAUNCHER_STOPPED', 'The launcher has ended.');
  return {
    hello,
    say(words) {
      if (process.connected) process.send?.(words);
    },
    onSignal(listener) {
      onSignal = listener;
      for (const signal of signals.splice(0)) listener(signal);
    },
    onGone(listener) {
      if (process.connected) process.once('disconnect', listener);
      else listener();
    },
  };
}
