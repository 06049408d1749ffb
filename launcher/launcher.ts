// The launcher's life: idle, one run at a time, and an end in order.
import type { PoolwrightError } from '../protocol/errors.js';
import { PoolwrightError as Fault } from '../protocol/errors.js';
import type { Assignment, ReleaseOffer } from '../protocol/messages.js';
import type { Connection, ConnectionListener, Order, WorkerStatus } from './connection/connection.js';
import type { Log } from './log.js';
import type { EndReason } from './run/attempt-end.js';
import type { Attempt } from './run/attempt.js';
import type { Outcome } from './status/history.js';

export interface LauncherOptions {
  /** Gives the line to the control plane; it is started here. */
  readonly connect: (status: () => WorkerStatus, listener: ConnectionListener) => Connection;
  /** Starts to work on an assignment. `onBegun` is called when its first command may run. */
  readonly startAttempt: (assignment: Assignment, onBegun: () => void) => Attempt;
  /** Goes on with what a launcher was in the middle of that was killed; its life is this one's then. */
  readonly resume?: { readonly run: StartedRun; readonly start: (onBegun: () => void) => Attempt };
  /** A release of the launcher is offered. */
  readonly onRelease?: (offer: ReleaseOffer) => void;
  readonly log: Log;
  /** Why no run can be taken now; null when one can. Default: one always can. */
  readonly unavailable?: () => string | null;
  /** Told what happens here. */
  readonly observers?: readonly LauncherObserver[];
}

/** What observers are told of a run. */
export type StartedRun = Pick<Assignment, 'run' | 'stack' | 'stage'>;

/** Whoever must know of the launcher's life without having a part in it. */
export interface LauncherObserver {
  onConnected?(): void;
  /** The reason is a sentence for people, without its full stop. */
  onDisconnected?(reason: string): void;
  onRunStarted?(run: StartedRun): void;
  /** Its result is with the control plane, and nothing of it is left here. */
  onRunOver?(outcome: Outcome): void;
  /** Told of every change, and may be told of none. */
  onState?(state: LauncherState): void;
}

/** What keeps a launcher from taking runs. */
export interface LauncherState {
  readonly drained: boolean;
  /** Why it ends, or ends after its run. */
  readonly leaving: string | null;
  /** Why no run can be taken now. */
  readonly unavailable: string | null;
}

export type LauncherEnd = 'ended' | 'made-way';

export interface Launcher {
  /** Takes nothing new and ends after the run it has. */
  drain(reason: string): void;
  /** The same, to be started again in another version; whatever else asks for its end later has the last word. */
  makeWay(reason: string): void;
  /**
   * Ends the run it has, too. `reason` is the worker's last word, and all that is told of a run whose result does not get
   * through in time; default: the error's message.
   */
  stop(error: PoolwrightError, reason?: string): void;
  /** The same, but a run whose first command may have run goes on; another one goes back to the queue. */
  giveBack(error: PoolwrightError): void;
  /** Tells the control plane that what it says of itself has changed. */
  report(): void;
  /** Whether there is a run on this worker. */
  readonly busy: boolean;
  /** Unix milliseconds by the control plane's clock. */
  now(): number;
  /** Resolves when the launcher has ended in order: for good, or to make way for another version. */
  readonly ended: Promise<LauncherEnd>;
}

export function startLauncher({
  connect,
  startAttempt,
  resume,
  onRelease,
  log,
  unavailable = () => null,
  observers = [],
}: LauncherOptions): Launcher {
  let current: Attempt | undefined;
  let leaving: string | undefined;
  let makesWay = false;
  /** As the control plane said last. */
  let drained = false;
  let finish: (end: LauncherEnd) => void = () => undefined;
  const ended = new Promise<LauncherEnd>((resolve) => {
    finish = resolve;
  });

  const connection = connect(
    () => ({
      held:
        current === undefined ? null : { run: current.run, attempt: current.attempt, begun: current.begun },
      leaving: leaving !== undefined,
      unavailable: unavailable()?.slice(0, 1024) ?? null,
      drained,
    }),
    { onRegistered, onDisconnected, onOrder },
  );

  function onRegistered(isDrained: boolean): void {
    drained = isDrained;
    if (drained) log.info('This worker is drained: it gets no run until it is undrained.');
    tellState();
    for (const observer of observers) observer.onConnected?.();
  }

  function onDisconnected(reason: string): void {
    for (const observer of observers) observer.onDisconnected?.(reason);
  }

  function onOrder(order: Order): void {
    switch (order.type) {
      case 'assignment':
        assign(order);
        return;
      case 'stop':
        endAttempt(
          order.run,
          order.attempt,
          order.kind === 'stale'
            ? { kind: 'stale' }
            : { kind: 'stop', error: new Fault('RUN_STOPPED', `The run was stopped: ${order.reason}`) },
        );
        return;
      case 'drain':
        drained = order.drained;
        log.info(order.drained ? 'Drained: no new run until undrained.' : 'Undrained: ready for runs.');
        tellState();
        return;
      case 'leave':
        if (order.immediate)
          stop(new Fault('LAUNCHER_STOPPED', `The launcher was told to end at once: ${order.reason}.`));
        else drain(order.reason);
        return;
      case 'release':
        onRelease?.(order);
        return;
    }
  }

  function tellState(): void {
    const state = { drained, leaving: leaving ?? null, unavailable: unavailable() };
    for (const observer of observers) observer.onState?.(state);
  }

  function assign(assignment: Assignment): void {
    const same = current?.run === assignment.run && current.attempt === assignment.attempt;
    // Sent again because the control plane did not know that it came: it is being accepted.
    if (same) return;
    if (current !== undefined || leaving !== undefined) {
      // Nothing is said: the assignment is not accepted, so it goes back to the queue by its deadline. The
      // report below tells the control plane what is really going on here.
      log.warn(`Run ${assignment.run} was assigned to this worker, which cannot take it now.`, {
        run: assignment.run,
      });
      void connection.report();
      return;
    }
    hold(assignment, (onBegun) => startAttempt(assignment, onBegun));
    void connection.report();
  }

  function hold(run: StartedRun, start: (onBegun: () => void) => Attempt): void {
    for (const observer of observers) observer.onRunStarted?.(run);
    const attempt = start(() => void connection.report());
    current = attempt;
    void attempt.done.then(async (outcome) => {
      current = undefined;
      for (const observer of observers) observer.onRunOver?.(outcome);
      if (leaving === undefined) await connection.report();
      else await leave(leaving);
    });
  }

  function endAttempt(run: string, attempt: number, reason: EndReason): void {
    if (current?.run === run && current.attempt === attempt) current.end(reason);
    // It is not here any more, and the control plane should know.
    else void connection.report();
  }

  function drain(reason: string): void {
    makesWay = false;
    leaveFor(reason);
  }

  function makeWay(reason: string): void {
    if (leaving !== undefined) return;
    makesWay = true;
    leaveFor(reason);
  }

  function leaveFor(reason: string): void {
    if (leaving !== undefined) return;
    leaving = reason;
    tellState();
    if (current === undefined) {
      log.info(`Ending: ${reason}`);
      void leave(reason);
      return;
    }
    log.info(`Ending after run ${current.run}: ${reason}`, { run: current.run });
    void connection.report();
  }

  function stop(error: PoolwrightError, reason = error.message): void {
    current?.end({ kind: 'stop', error });
    if (leaving !== undefined) leaving = reason;
    drain(reason);
  }

  function giveBack(error: PoolwrightError): void {
    if (current?.begun === false) current.end({ kind: 'stop', error });
    drain(error.message);
  }

  async function leave(reason: string): Promise<void> {
    await connection.end(reason);
    finish(makesWay ? 'made-way' : 'ended');
  }

  // Before the first word to the control plane, which compares what this worker says that it holds.
  if (resume !== undefined) hold(resume.run, resume.start);
  connection.start();
  return {
    drain,
    makeWay,
    stop,
    giveBack,
    report() {
      tellState();
      void connection.report();
    },
    get busy() {
      return current !== undefined;
    },
    now: () => connection.now(),
    ended,
  };
}
