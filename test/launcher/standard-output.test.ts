// Where the launcher's own log goes may be full; its runs go on.
import { closeSync, openSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { writeOut } from '../../launcher/standard-output.js';

describe('standard output', () => {
  it('loses what a full disk does not take, and throws nothing', () => {
    // As a log file on a disk without room: every write ends with ENOSPC (full(4)).
    const full = openSync('/dev/full', 'w');
    try {
      expect(() => {
        writeOut('a line\n', full);
      }).not.toThrow();
    } finally {
      closeSync(full);
    }
  });

  it('loses what nobody reads any more', () => {
    expect(() => {
      writeOut('a line\n', 9999);
    }).not.toThrow();
  });
});
