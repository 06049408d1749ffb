import { createColors } from 'picocolors';
import { describe, expect, it } from 'vitest';
import { fieldLines, tableLines } from '../../control-plane/cli/table.js';
import { ago } from '../../control-plane/cli/times.js';
import { wantsColor } from '../../control-plane/cli/terminal.js';

describe('a table', () => {
  it('pads columns to their widest value and leaves no spaces at the end of a line', () => {
    const lines = tableLines(
      ['NAME', 'N'],
      [
        ['a-long-name', '1'],
        ['b', ''],
      ],
    );
    expect(lines).toEqual(['NAME         N', 'a-long-name  1', 'b']);
  });

  it('counts characters as a reader does: without colours, a composed emoji as one', () => {
    const { red } = createColors(true);
    const lines = tableLines(
      ['A', 'B'],
      [
        [red('xx'), '1'],
        ['👩‍🚀', '2'],
      ],
    );
    expect(lines[0]).toBe('A   B');
    expect(lines[2]).toBe('👩‍🚀   2');
  });

  it('cuts the last column only where a terminal is too narrow', () => {
    const rows = [['one', 'a rather long description']];
    expect(tableLines(['ID', 'TEXT'], rows, 20)).toEqual(['ID   TEXT', 'one  a rather long…']);
    expect(tableLines(['ID', 'TEXT'], rows)[1]).toBe('one  a rather long description');
  });

  it('is its header alone when there are no rows', () => {
    expect(tableLines(['A', 'B'], [])).toEqual(['A  B']);
  });
});

describe('fields', () => {
  it('indent the further lines of a value below its first', () => {
    expect(
      fieldLines([
        ['a', 'x\ny'],
        ['long', 'z'],
      ]),
    ).toEqual(['a     x\n      y', 'long  z']);
  });
});

describe('an age', () => {
  it.each([
    [0, '0s'],
    [59, '59s'],
    [60, '1m'],
    [3_599, '59m'],
    [3_600, '1h'],
    [86_400, '1d'],
    [-5, '0s'],
  ])('of %i seconds reads %s', (seconds, text) => {
    expect(ago(1_000_000 - seconds, 1_000_000_000)).toBe(text);
  });
});

describe('colours', () => {
  it('follow NO_COLOR before FORCE_COLOR before the terminal', () => {
    expect(wantsColor({ NO_COLOR: '1', FORCE_COLOR: '1' }, true)).toBe(false);
    expect(wantsColor({ FORCE_COLOR: '1' }, false)).toBe(true);
    expect(wantsColor({ FORCE_COLOR: '0' }, true)).toBe(false);
    expect(wantsColor({ NO_COLOR: '' }, true)).toBe(true);
    expect(wantsColor({ TERM: 'dumb' }, true)).toBe(false);
    expect(wantsColor({}, false)).toBe(false);
  });
});
