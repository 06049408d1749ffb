// What `launcher status` and Prometheus get to see.
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import {
  createStatusReport,
  statusFile,
  statusSchema,
  type StatusReport,
} from '../../../launcher/status/report.js';
import { assignment } from '../../protocol/support/messages.js';

let folder: string;
let report: StatusReport;
let time: number;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'poolwright-status-'));
  time = 1_000;
  report = createStatusReport({
    folder,
    about: { worker: 'w', pool: 'p', version: 'v', executor: 'host', update: null },
    now: () => time,
    onFault: (error) => {
      throw error;
    },
  });
});
afterEach(async () => {
  await report.settled();
  await rm(folder, { recursive: true });
});

test('the last ten runs are kept, the newest first', async () => {
  for (let number = 0; number < 12; number += 1) {
    report.onRunStarted?.({ ...assignment, run: `run-${String(number)}` });
    time += 500;
    report.onRunOver?.();
  }
  await report.settled();
  const read = statusSchema.parse(JSON.parse(await readFile(join(folder, statusFile), 'utf8')));
  expect(read).toEqual(report.status);
  expect(read.lastRuns.map(({ run }) => run)).toEqual(
    [11, 10, 9, 8, 7, 6, 5, 4, 3, 2].map((number) => `run-${String(number)}`),
  );
  expect(read.lastRuns[0]).toMatchObject({ since: 6_500, until: 7_000 });
});

test('a connection that stays away keeps the time at which it was lost', () => {
  report.onConnected?.();
  time = 5_000;
  report.onDisconnected?.('the cable');
  time = 9_000;
  report.onDisconnected?.('the cable still');
  expect(report.status).toMatchObject({
    connected: false,
    connectionSince: 5_000,
    reason: 'the cable still',
  });
});

test('metrics have a type each, and say what is', () => {
  report.onConnected?.();
  report.onRunStarted?.(assignment);
  const lines = report.metrics().split('\n');
  expect(lines).toContain('poolwright_launcher_connected 1');
  expect(lines).toContain('poolwright_launcher_busy 1');
  expect(lines).toContain('poolwright_launcher_info{worker="w",pool="p",version="v",executor="host"} 1');
  const samples = lines.filter((line) => line !== '' && !line.startsWith('#'));
  for (const sample of samples) {
    const name = /^\w+/.exec(sample)?.[0] ?? '';
    expect(lines).toContain(`# TYPE ${name} ${name.endsWith('_total') ? 'counter' : 'gauge'}`);
  }
});
