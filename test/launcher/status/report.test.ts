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
import { lastRuns } from '../../../launcher/status/history.js';
import { assignment } from '../../protocol/support/messages.js';

let folder: string;
let report: StatusReport;
let time: number;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'poolwright-status-'));
  time = 1_000;
  report = createStatusReport({
    folder,
    stateDirectory: folder,
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

const written = async () => statusSchema.parse(JSON.parse(await readFile(join(folder, statusFile), 'utf8')));

test('a run is there until it is over, and is remembered then with how it ended', async () => {
  report.onRunStarted?.(assignment);
  await report.settled();
  expect(await written()).toMatchObject({ run: { run: assignment.run, since: 1_000 } });
  time += 500;
  report.onRunOver?.('stopped');
  await report.settled();
  expect(await written()).toEqual(report.status);
  expect(report.status.run).toBeNull();
  const { run, stack, stage } = assignment;
  expect(await lastRuns(folder, 10)).toEqual([
    { worker: 'w', run, stack, stage, since: 1_000, until: 1_500, outcome: 'stopped' },
  ]);
});

test('what keeps it from taking runs is there', async () => {
  const state = { drained: true, leaving: 'an update', unavailable: 'the disk is full' };
  report.onState?.(state);
  await report.settled();
  expect(await written()).toMatchObject(state);
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
