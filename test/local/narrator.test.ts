import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { createOutput } from '../../control-plane/cli/output.js';
import { createNarrator } from '../../control-plane/local/narrator.js';
import { keptTerminal } from '../cli/support/terminal.js';

function transition(state: 'PLANNING' | 'FINISHED') {
  return {
    kind: 'state',
    transition: {
      state,
      stateVersion: 1,
      timestamp: 1,
      terminal: state === 'FINISHED',
      hasLogs: true,
      note: null,
      username: null,
    },
  } as const;
}

describe('the narrator', () => {
  beforeEach(() => {
    vi.useFakeTimers();
  });
  afterEach(() => {
    vi.useRealTimers();
  });

  it('says what is being waited for after a second, and now and then again', async () => {
    const terminal = keptTerminal();
    const narrator = createNarrator(createOutput(terminal, false));
    const work = narrator.during('Making the key', new Promise((resolve) => setTimeout(resolve, 7_000)));
    await vi.advanceTimersByTimeAsync(900);
    expect(terminal.output()).toBe('');
    await vi.advanceTimersByTimeAsync(6_100);
    await work;
    expect(terminal.output()).toBe('   1.0s  Making the key …\n   6.0s  Making the key … (6 s)\n');
  });

  it('says nothing of what is quick', async () => {
    const terminal = keptTerminal();
    await createNarrator(createOutput(terminal, false)).during('It', Promise.resolve());
    await vi.advanceTimersByTimeAsync(10_000);
    expect(terminal.output()).toBe('');
  });

  it('puts log lines below their state and joins a line that came in two parts', () => {
    const terminal = keptTerminal();
    const narrator = createNarrator(createOutput(terminal, false));
    narrator.run(transition('PLANNING'));
    narrator.run({ kind: 'log', state: 'PLANNING', text: 'first\nsec' });
    narrator.run({ kind: 'log', state: 'PLANNING', text: 'ond\nunended' });
    narrator.run(transition('FINISHED'));
    const lines = terminal
      .output()
      .split('\n')
      .map((line) => line.slice(9));
    expect(lines).toEqual([
      'PLANNING',
      '             │ first',
      '             │ second',
      '             │ unended',
      'FINISHED',
      '',
    ]);
  });

  it('speaks one JSON object a line where that was asked for', () => {
    const terminal = keptTerminal();
    const narrator = createNarrator(createOutput(terminal, true));
    narrator.warn('careful');
    narrator.run(transition('PLANNING'));
    narrator.run({ kind: 'log', state: 'PLANNING', text: 'a\nb\n' });
    narrator.fact('ready', { apiUrl: 'http://x' }, ['for people']);
    const objects = terminal
      .output()
      .trim()
      .split('\n')
      .map((line): unknown => JSON.parse(line));
    expect(objects).toEqual([
      { kind: 'warning', message: 'careful' },
      { kind: 'state', state: 'PLANNING', timestamp: 1, note: null },
      { kind: 'log', state: 'PLANNING', message: 'a' },
      { kind: 'log', state: 'PLANNING', message: 'b' },
      { kind: 'ready', apiUrl: 'http://x' },
    ]);
  });
});
