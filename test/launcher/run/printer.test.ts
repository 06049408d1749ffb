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
});
