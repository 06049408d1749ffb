// What ends a launcher from outside: signals, and the end of the process that started it.
import { PoolwrightError } from '../protocol/errors.js';
import type { Launcher } from './launcher.js';
import type { Log } from './log.js';
import type { Watcher } from './update/watched.js';

/** The first signal drains, the second stops the run; more change nothing. What it gives lets the process end. */
export function takeSignals(
  launcher: Launcher,
  log: Log,
  endWithParent: boolean,
  watcher?: Watcher,
): () => void {
  let signals = 0;
  const stopNow = (why: string, reason?: string) => {
    launcher.stop(new PoolwrightError('LAUNCHER_STOPPED', `The launcher was stopped: ${why}.`), reason);
  };
  const onSignal = (signal: NodeJS.Signals) => {
    signals += 1;
    if (signals === 1) launcher.drain(`the launcher got ${signal}`);
    else stopNow(`it got ${signal} twice`, `the launcher got ${signal} twice`);
  };
  if (watcher === undefined) process.on('SIGTERM', onSignal).on('SIGINT', onSignal);
  else {
    watcher.onSignal(onSignal);
    // Nobody is left who could pass a signal on, or start it again.
    watcher.onGone(() => {
      launcher.drain('the launcher that watches this process is gone');
    });
  }
  const onParentGone = () => {
    log.info('Standard input has ended: the parent process is gone.');
    stopNow('the program that started it has ended');
  };
  if (endWithParent) process.stdin.on('end', onParentGone).on('error', onParentGone).resume();
  return () => {
    // Signals are heard to the last: one too many must not keep it from taking away what is its own.
    if (endWithParent) process.stdin.off('end', onParentGone).destroy();
  };
}
