// From a cloud's notice to the end of this worker: take nothing new, finish the run within what the cloud allows, and
// only then tell the cloud that it may go ahead.
import { messageOf, PoolwrightError } from '../../protocol/errors.js';
import { sleep, type Clock } from '../clock.js';
import type { Launcher } from '../launcher.js';
import type { Log } from '../log.js';
import type { CloudMachine, Notice } from './notice.js';

export interface AttendOptions {
  readonly machine: CloudMachine;
  readonly launcher: Pick<Launcher, 'drain' | 'stop' | 'giveBack' | 'busy'>;
  readonly clock: Clock;
  readonly log: Log;
}

export interface Attendance {
  /**
   * Answers the cloud, when there is something to answer. To be called when the launcher has ended in order, so when its
   * run is over. Resolves within about ten seconds. Never rejects.
   */
  finish(): Promise<void>;
  /** Listens no more, and answers nothing. */
  close(): void;
}

/** Milliseconds. */
const times = {
  /**
   * Kept for the end of a run: its processes have 10 s to end in order (executors/docker.ts), the rest is for the log.
   * Never more than half of what is left.
   */
  lastWords: 20_000,
  /** The group's hook waits for at least 300 s after each time that it was asked to. */
  prolong: 60_000,
  /** All answers together. */
  answers: 10_000,
  betweenAnswers: 1_000,
} as const;

/** Starts to listen. */
export function attend({ machine, launcher, clock, log }: AttendOptions): Attendance {
  const listening = new AbortController();
  const { cloud } = machine;
  const leaves = new Map<string, Notice>();
  const pauses = new Set<string>();
  const answered = new Set<string>();
  let deadline = Infinity;
  let stopped = false;
  let cancelStop: () => void = () => undefined;
  let cancelProlong: (() => void) | undefined;
  let complaint = '';

  void machine.watch(hear, complain, listening.signal);

  function hear(notices: readonly Notice[]): void {
    if (listening.signal.aborted) return;
    complaint = '';
    for (const notice of notices) {
      if (notice.kind === 'pause') pause(notice);
      else leave(notice);
    }
    const announced = new Set(notices.map(({ id }) => id));
    for (const notice of leaves.values()) if (!announced.has(notice.id)) takenBack(notice);
    limit();
  }

  function complain(error: unknown): void {
    const message = messageOf(error);
    if (message === complaint) return;
    complaint = message;
    log.warn(`The notices of ${cloud} cannot be read: ${message}. Trying again.`);
  }

  /** Nothing is lost by a pause, so nobody has to leave; but a run is not asked to stand still sooner than it must. */
  function pause(notice: Notice): void {
    if (!pauses.has(notice.id)) log.info(`Notice: ${notice.what}. Nothing ends by it.`);
    pauses.add(notice.id);
    if (launcher.busy || answered.has(notice.id) || notice.acknowledge === undefined) return;
    answered.add(notice.id);
    notice.acknowledge(listening.signal).catch((error: unknown) => {
      if (!listening.signal.aborted) log.warn(`${cloud} was not answered: ${messageOf(error)}`);
    });
  }

  function leave(notice: Notice): void {
    const known = leaves.has(notice.id);
    leaves.set(notice.id, notice);
    if (!known) log.warn(`Notice: ${notice.what}. This worker takes nothing new.`, { notice: notice.id });
    if (notice.deadline === null) launcher.drain(notice.what);
    if (notice.prolong !== undefined) cancelProlong ??= prolongFrom(0);
  }

  /** The run may have all the time that it needs; but the worker leaves: what was taken from it is on others by now. */
  function takenBack({ id, what }: Notice): void {
    leaves.delete(id);
    log.info(`${cloud} does not announce any more: ${what}. This worker ends after its run all the same.`);
  }

  /** By the soonest of the ends that are announced now: they come, move, and are taken back. */
  function limit(): void {
    const [notice] = [...leaves.values()]
      .filter((each) => each.deadline !== null)
      .sort((a, b) => (a.deadline ?? 0) - (b.deadline ?? 0));
    const end = notice?.deadline ?? Infinity;
    if (stopped || end === deadline) return;
    const sooner = end < deadline;
    deadline = end;
    cancelStop();
    if (notice === undefined) return;
    // Where there is an end, a run that has not begun is better off on another worker.
    if (sooner) launcher.giveBack(terminated(notice, 'it had not begun, and goes back to the queue'));
    const left = Math.max(0, end - clock.now());
    cancelStop = clock.after(left - Math.min(times.lastWords, left / 2), () => {
      stopped = true;
      launcher.stop(terminated(notice, `it did not finish in the ${seconds(left)} that were left`));
    });
  }

  function prolongFrom(wait: number): () => void {
    return clock.after(wait, () => {
      cancelProlong = prolongFrom(times.prolong);
      for (const { prolong } of leaves.values()) {
        prolong?.(listening.signal).catch((error: unknown) => {
          if (!listening.signal.aborted) log.warn(`${cloud} was not asked to wait: ${messageOf(error)}`);
        });
      }
    });
  }

  function close(): void {
    listening.abort();
    cancelStop();
    cancelProlong?.();
  }

  async function answer({ what, acknowledge }: Notice, over: AbortSignal): Promise<void> {
    while (acknowledge !== undefined) {
      try {
        await acknowledge(over);
        log.info(`Told ${cloud} that this machine may go: ${what}.`);
        return;
      } catch (error) {
        log.warn(`${cloud} was not told that this machine may go: ${messageOf(error)}`);
        await sleep(clock, times.betweenAnswers, over);
        if (over.aborted) return;
      }
    }
  }

  return {
    close,
    async finish() {
      close();
      const over = new AbortController();
      const cancel = clock.after(times.answers, () => {
        over.abort();
      });
      await Promise.all([...leaves.values()].map((notice) => answer(notice, over.signal)));
      cancel();
    },
  };
}

function terminated({ what }: Notice, how: string): PoolwrightError {
  return new PoolwrightError('MACHINE_TERMINATED', `The run was ended because ${what}: ${how}.`);
}

function seconds(milliseconds: number): string {
  return `${String(Math.round(milliseconds / 1000))} s`;
}
