// The invariants can fail: each is shown a run that breaks it.
import { describe, expect, it } from 'vitest';
import { judge, type Ended, type Happened } from './judge.js';
import type { ExpectedStep, Witnessed } from './work.js';

const worker = '01HZ000000000000000000000W';
const step = (name: string, exitCode = 0): ExpectedStep => ({
  state: 'PLANNING',
  name,
  lines: 2,
  takes: 0,
  exitCode,
});
const begun = (name: string): Witnessed => ({ marker: 'm', step: name, world: `${worker}.r.1`, at: 1 });

const finished: Ended = {
  id: 'r',
  marker: 'm',
  steps: [step('a'), step('b')],
  state: 'FINISHED',
  failure: null,
  ends: 1,
  from: 1_000,
  to: 5_000,
  workers: new Set([worker]),
  logs: { PLANNING: 'a:0\na:1\nThe launcher was killed and started again; the run goes on.\nb:0\nb:1\n' },
  earlier: [{ state: 'PLANNING', text: 'a:0\n' }],
  witnessed: [begun('a'), begun('b')],
};

function cut(lasts: number, workers: readonly string[] = [worker]): Happened {
  const fault = { kind: 'cut-line', at: 0, launcher: 0, lasts } as const;
  return { fault, from: 2_000, to: 2_000 + lasts, workers: new Set(workers) };
}

describe('the judge of a run', () => {
  it('finds nothing where nothing is wrong', () => {
    expect(judge(finished, [])).toEqual([]);
  });

  it.each<[string, Partial<Ended>, RegExp]>([
    ['that ended twice', { ends: 2 }, /ended 2 times/],
    [
      'with a step that was begun twice',
      { witnessed: [begun('a'), begun('b'), begun('a')] },
      /a was begun again/,
    ],
    ['with steps in another order', { witnessed: [begun('b'), begun('a')] }, /expected the order/],
    ['that is finished without a step', { witnessed: [begun('a')] }, /only these began/],
    [
      'with a line that is missing',
      { logs: { PLANNING: 'a:0\nb:0\nb:1\n' }, earlier: [] },
      /line 2 .* is b:0, expected a:1/,
    ],
    ['with a line that came twice', { logs: { PLANNING: 'a:0\na:0\na:1\nb:0\nb:1\n' } }, /line 2 .* is a:0/],
    ['without its last lines', { logs: { PLANNING: 'a:0\na:1\n' } }, /2 of 4 lines/],
    [
      'with a log that was another one before',
      { earlier: [{ state: 'PLANNING', text: 'x' }] },
      /no longer does/,
    ],
    [
      'that failed for nothing',
      { state: 'FAILED', failure: { code: 'INTERNAL', message: 'oh' } },
      /no fault explains/,
    ],
    ['that was stopped by nobody', { state: 'STOPPED' }, /no fault explains/],
  ])('finds a run %s', (_, wrong, expected) => {
    expect(judge({ ...finished, ...wrong }, []).join('\n')).toMatch(expected);
  });

  const lost: Partial<Ended> = {
    state: 'FAILED',
    failure: { code: 'WORKER_LOST', message: 'Its connection broke.' },
    logs: { PLANNING: 'a:0\n' },
    witnessed: [begun('a')],
  };

  it('takes a launcher that was stopped at once for a cause of its loss only while nobody could hear of it', () => {
    const at = (fault: Happened['fault'], from: number, to: number): Happened => ({
      fault,
      from,
      to,
      workers: new Set([worker]),
    });
    const stop = at({ kind: 'stop-launcher', at: 0, launcher: 0, after: 30 }, 2_000, 9_000);
    const down = (to: number) => at({ kind: 'kill-control-plane', at: 0, down: 500 }, 1_900, to);
    const loss = { ...finished, ...lost };
    expect(judge(loss, [stop, down(8_000)])).toEqual([]);
    for (const happened of [[stop], [down(8_000)], [stop, down(4_000)]])
      expect(judge(loss, happened).join('\n')).toMatch(/no fault explains/);
  });

  it('takes the end of an engine that leaves containers for a cause only where one was just being started', () => {
    const at = { from: 2_000, to: 3_000, workers: new Set([worker]) };
    const end: Happened = { fault: { kind: 'end-engine', at: 0, keeps: true, down: 1_000 }, ...at };
    const apply = { ...step('c'), state: 'APPLYING' as const };
    const message = 'The run was cut off: its container was ended from outside (exit code 137), by somebody.';
    const cutOff = (witnessed: Ended['witnessed'], text = message): Ended => ({
      ...{
        ...finished,
        state: 'FAILED',
        steps: [step('a'), step('b'), apply],
        witnessed,
        logs: {},
        earlier: [],
      },
      failure: { code: 'RUN_INTERRUPTED', message: text },
    });
    expect(judge(cutOff([]), [end])).toEqual([]);
    expect(judge(cutOff([begun('a'), begun('b')]), [end])).toEqual([]);
    for (const [run, happened] of [
      [cutOff([]), []],
      [cutOff([], 'The run was cut off: somebody removed its container.'), [end]],
      [cutOff([begun('a')]), [end]],
      [cutOff([begun('a'), begun('b'), begun('c')]), [end]],
      [cutOff([]), [{ fault: { kind: 'kill-engine', at: 0, keeps: true, down: 1_000 }, ...at } as Happened]],
    ] as const)
      expect(judge(run, happened).join('\n')).toMatch(/no fault explains/);
  });

  it('takes a long cut as the cause of a loss', () => {
    expect(judge({ ...finished, ...lost }, [cut(9_000)])).toEqual([]);
  });

  it.each([
    ['a short cut', cut(500)],
    ['a cut of another worker', cut(9_000, ['01HZ000000000000000000000X'])],
    ['a cut after its end', { ...cut(9_000), from: 9_000, to: 18_000 }],
  ])('does not take %s for it', (_, fault) => {
    expect(judge({ ...finished, ...lost }, [fault])).toEqual([expect.stringContaining('no fault explains')]);
  });
});
