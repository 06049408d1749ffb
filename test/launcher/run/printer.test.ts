import { describe, expect, it } from 'vitest';
import { createRunPrinter } from '../../../launcher/run/printer.js';

describe('run logs on standard output', () => {
  it('are a JSON line for each line, however the text comes, and the last one without a line end', () => {
    let out = '';
    const printer = createRunPrinter(
      (text) => (out += text),
      () => 1500,
    )({ run: 'R', stack: 'S' });
    printer.text('one\ntw');
    printer.text('o\r\nthr');
    printer.text('ee');
    printer.end();
    printer.end();
    const lines = out.trimEnd().split('\n');
    expect(lines.map((line) => JSON.parse(line) as unknown)).toEqual(
      ['one', 'two', 'three'].map((msg) => ({ run_ulid: 'R', stack_id: 'S', ts: 1.5, msg })),
    );
  });

  it('cut a long line, whether its end has come or not, and never through a character', () => {
    for (const pieces of [
      [`a${'😀'.repeat(20_000)}\nend`],
      [`a${'😀'.repeat(9_000)}`, `${'😀'.repeat(11_000)}\n`, 'end'],
    ]) {
      let out = '';
      const printer = createRunPrinter(
        (text) => (out += text),
        () => 0,
      )({ run: 'R', stack: 'S' });
      for (const piece of pieces) printer.text(piece);
      printer.end();
      const parts = out
        .trimEnd()
        .split('\n')
        .map((line) => (JSON.parse(line) as { msg: string }).msg);
      expect(parts.pop()).toBe('end');
      expect(parts.join('')).toBe(`a${'😀'.repeat(20_000)}`);
      for (const part of parts) expect(Buffer.from(part).toString('utf8')).toBe(part);
      expect(parts.every((part) => part.length <= 16 * 1024)).toBe(true);
    }
  });

  it('keep empty lines', () => {
    let out = '';
    const printer = createRunPrinter(
      (text) => (out += text),
      () => 0,
    )({ run: 'R', stack: 'S' });
    printer.text('a\n\nb\n');
    printer.end();
    expect(
      out
        .trimEnd()
        .split('\n')
        .map((line) => (JSON.parse(line) as { msg: string }).msg),
    ).toEqual(['a', '', 'b']);
  });
});
