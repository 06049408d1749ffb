// Notices, assignments, ends of runs, drains, stops and signals in any order: no run is lost or doubled, none that has
// begun is cut short without need, and the cloud is never told to go ahead while a run is here.
import fc from 'fast-check';
import { describe, it } from 'vitest';
import { PoolwrightError } from '../../../protocol/errors.js';
import type { Assignment } from '../../../protocol/messages.js';
import type { ConnectionListener, WorkerStatus } from '../../../launcher/connection/connection.js';
import { startLauncher } from '../../../launcher/launcher.js';
import { attend } from '../../../launcher/notices/attend.js';
import type { Notice } from '../../../launcher/notices/notice.js';
import type { EndReason } from '../../../launcher/run/attempt-end.js';
import type { Attempt } from '../../../launcher/run/attempt.js';
import { recordedLog } from '../support/log.js';
import { manualClock } from '../support/manual-clock.js';

type Action =
  | {
      readonly kind:
        | 'assign'
        | 'begin'
        | 'finish'
        | 'signal'
        | 'order drain'
        | 'order leave'
        | 'order stop'
        | 'disconnect';
    }
  | { readonly kind: 'notice'; readonly id: string; readonly seconds: number | null }
  | { readonly kind: 'taken back'; readonly id: string }
  | { readonly kind: 'pause' }
  | { readonly kind: 'time'; readonly seconds: number };

const action: fc.Arbitrary<Action> = fc.oneof(
  { weight: 4, arbitrary: fc.constant({ kind: 'assign' } as const) },
  { weight: 4, arbitrary: fc.record({ kind: fc.constantFrom('begin', 'finish') }) },
  {
    weight: 2,
    arbitrary: fc.record({
      kind: fc.constantFrom('signal', 'order drain', 'order leave', 'order stop', 'disconnect'),
    }),
  },
  {
    weight: 3,
    arbitrary: fc.record({
      kind: fc.constant('notice' as const),
      id: fc.constantFrom('lifecycle', 'spot', 'rebalance'),
      seconds: fc.constantFrom(null, 0, 30, 120, 900),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      kind: fc.constant('taken back' as const),
      id: fc.constantFrom('lifecycle', 'spot', 'rebalance'),
    }),
  },
  { weight: 1, arbitrary: fc.constant({ kind: 'pause' } as const) },
  {
    weight: 3,
    arbitrary: fc.record({ kind: fc.constant('time' as const), seconds: fc.constantFrom(1, 15, 60, 600) }),
  },
);

interface Simulated {
  readonly run: string;
  begun: boolean;
  over: boolean;
  /** Why it was ended from outside, when, and the soonest end that was announced then. */
  ended: { readonly reason: EndReason; readonly at: number; readonly soonest: number } | undefined;
  finish(): void;
}

function fail(what: string): never {
  throw new Error(what);
}

/** A launcher and its attendance on a clock that the test moves, and a control plane that does as it is asked. */
function scene() {
  const clock = manualClock(1_000_000);
  const log = recordedLog();
  const runs: Simulated[] = [];
  const acknowledged: string[] = [];
  let listener: ConnectionListener | undefined;
  let status: (() => WorkerStatus) | undefined;
  let report: (notices: readonly Notice[]) => void = () => undefined;
  let gone = false;
  const notices = new Map<string, Notice>();
  const current = () => runs.find(({ over }) => !over);
  const heard = { leave: false };
  const soonest = () => Math.min(...[...notices.values()].map(({ deadline }) => deadline ?? Infinity));

  function startAttempt(assignment: Assignment, onBegun: () => void): Attempt {
    if (heard.leave) fail('a run was taken after a notice');
    if (current() !== undefined) fail('two runs at once');
    let settle: () => void = () => undefined;
    const done = new Promise<'finished'>((resolve) => {
      settle = () => {
        resolve('finished');
      };
    });
    const simulated: Simulated & { onBegun: () => void } = {
      run: assignment.run,
      begun: false,
      over: false,
      ended: undefined,
      onBegun,
      finish() {
        if (simulated.over) fail('a run ended twice');
        simulated.over = true;
        settle();
      },
    };
    runs.push(simulated);
    return {
      run: assignment.run,
      attempt: 1,
      get begun() {
        return simulated.begun;
      },
      end(reason) {
        simulated.ended ??= { reason, at: clock.now(), soonest: soonest() };
      },
      done,
    };
  }

  const launcher = startLauncher({
    connect: (given, listening) => {
      status = given;
      listener = listening;
      return {
        start: () => undefined,
        report: () => Promise.resolve(),
        now: () => clock.now(),
        end: () => {
          if (current() !== undefined) fail('said good-bye while a run is here');
          gone = true;
          return Promise.resolve();
        },
      };
    },
    startAttempt,
    log,
  });
  const attendance = attend({
    machine: {
      cloud: 'EC2',
      protection: null,
      watch: (toReport) => {
        report = toReport;
        return Promise.resolve();
      },
    },
    launcher,
    clock,
    log,
  });
  let ended = false;
  const finished = launcher.ended.then(async () => {
    await attendance.finish();
    ended = true;
  });

  let count = 0;
  let signals = 0;
  function apply(step: Action): void {
    const here = current();
    switch (step.kind) {
      case 'assign':
        // As the control plane does: only to a worker that is free and stays.
        if (gone || here !== undefined || status?.().leaving === true) return;
        count += 1;
        listener?.onOrder({ type: 'assignment', run: `run-${String(count)}`, attempt: 1 } as Assignment);
        return;
      case 'begin':
        if (here !== undefined && here.ended === undefined) here.begun = true;
        return;
      case 'finish':
        here?.finish();
        return;
      case 'signal':
        signals += 1;
        if (signals === 1) launcher.drain('a signal');
        else launcher.stop(new PoolwrightError('LAUNCHER_STOPPED', 'a second signal'));
        return;
      case 'order drain':
        listener?.onOrder({ type: 'drain', drained: true } as Parameters<ConnectionListener['onOrder']>[0]);
        return;
      case 'order leave':
        listener?.onOrder({ type: 'leave', immediate: false, reason: 'cycled' } as Parameters<
          ConnectionListener['onOrder']
        >[0]);
        return;
      case 'order stop':
        if (here !== undefined) {
          listener?.onOrder({
            type: 'stop',
            kind: 'stop',
            run: here.run,
            attempt: 1,
            reason: 'asked',
          } as Parameters<ConnectionListener['onOrder']>[0]);
        }
        return;
      case 'disconnect':
        listener?.onDisconnected('cut');
        return;
      case 'notice': {
        const deadline = step.seconds === null ? null : clock.now() + step.seconds * 1000;
        const notice: Notice = {
          id: step.id,
          what: step.id,
          kind: 'leave',
          deadline,
          acknowledge: () => {
            if (current() !== undefined) fail('the cloud was told to go ahead while a run is here');
            if (!gone) fail('the cloud was told to go ahead before the control plane was');
            acknowledged.push(step.id);
            return Promise.resolve();
          },
        };
        if (!ended) {
          heard.leave = true;
          notices.set(step.id, notice);
        }
        const before = here === undefined ? undefined : { ...here };
        report([...notices.values()]);
        if (
          deadline !== null &&
          before?.begun === false &&
          before.ended === undefined &&
          here?.ended === undefined &&
          !ended
        )
          fail('a run that has not begun was not given back');
        return;
      }
      case 'taken back':
        if (ended) return;
        notices.delete(step.id);
        report([...notices.values()]);
        return;
      case 'pause':
        report([
          ...notices.values(),
          {
            id: 'freeze',
            what: 'freeze',
            kind: 'pause',
            deadline: null,
            acknowledge: () =>
              current() === undefined ? Promise.resolve() : fail('halted while a run is here'),
          },
        ]);
        return;
      case 'time':
        clock.advance(step.seconds * 1000);
        return;
    }
  }

  return { clock, runs, acknowledged, apply, heard, notices, finished, current, hasEnded: () => ended };
}

const settled = () => new Promise<void>((resolve) => setImmediate(resolve));

describe('any order of events', () => {
  it('keeps every run, once, and answers the cloud last', { timeout: 120_000 }, async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(action, { minLength: 1, maxLength: 25 }), async (steps) => {
        const all = scene();
        for (const step of steps) {
          all.apply(step);
          await settled();
        }
        // A run that has begun is cut short only by somebody's wish or when its time is nearly over.
        for (const { begun, ended } of all.runs) {
          if (ended?.reason.kind !== 'stop' || ended.reason.error.code !== 'MACHINE_TERMINATED' || !begun)
            continue;
          if (ended.at < ended.soonest - 20_000) fail('a run was stopped though there was time');
        }
        // Whatever is left ends by itself, and then the launcher, if it has a reason to.
        for (let run = all.current(); run !== undefined; run = all.current()) {
          run.finish();
          await settled();
        }
        if (!all.heard.leave) return;
        await all.finished;
        if (all.acknowledged.sort().join() !== [...all.notices.keys()].sort().join()) {
          fail(`answered ${all.acknowledged.join()}, heard ${[...all.notices.keys()].join()}`);
        }
      }),
      { numRuns: 1_000 },
    );
  });
});
