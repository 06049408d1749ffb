// What a launcher does now, kept in a file of its folder for `launcher status`, and counted for Prometheus.
import { rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import * as z from 'zod';
import type { LauncherObserver } from '../launcher.js';
import { rememberRun } from './history.js';

const time = z.number();

export const statusSchema = z.object({
  worker: z.string(),
  pool: z.string(),
  version: z.string(),
  executor: z.string(),
  /** What it is an update of, and which release was given up; null for a launcher that takes none. */
  update: z
    .object({
      base: z.string(),
      failed: z.object({ version: z.string(), reason: z.string() }).nullable(),
    })
    .nullable()
    .default(null),
  /** Unix milliseconds, as all times here. */
  started: time,
  connected: z.boolean(),
  /** Since when it is connected, or not; the start when it never was. */
  connectionSince: time,
  /** Why it is not connected. */
  reason: z.string().nullable(),
  /** It gets no run until it is undrained. */
  drained: z.boolean().default(false),
  /** Why it ends, or ends after its run. */
  leaving: z.string().nullable().default(null),
  /** Why it cannot take a run. */
  unavailable: z.string().nullable().default(null),
  run: z.object({ run: z.string(), stack: z.string(), stage: z.string(), since: time }).nullable(),
});
export type LauncherStatus = z.output<typeof statusSchema>;

export const statusFile = 'status.json';

export interface StatusReport extends LauncherObserver {
  readonly status: LauncherStatus;
  /** Lines in Prometheus' text format. */
  metrics(): string;
  /** Resolves when what is known is in the file. */
  settled(): Promise<void>;
}

export function createStatusReport(options: {
  /** Of the launcher's life. */
  readonly folder: string;
  /** Remembers the runs of all launchers of this machine. */
  readonly stateDirectory: string;
  readonly about: Pick<LauncherStatus, 'worker' | 'pool' | 'version' | 'executor' | 'update'>;
  /** Unix milliseconds. */
  readonly now: () => number;
  /** A status that cannot be written is no reason to stop. */
  readonly onFault: (error: unknown) => void;
}): StatusReport {
  const { folder, now } = options;
  let status: LauncherStatus = {
    ...options.about,
    started: now(),
    connected: false,
    connectionSince: now(),
    reason: null,
    drained: false,
    leaving: null,
    unavailable: null,
    run: null,
  };
  let connections = 0;
  let runs = 0;
  let writing = Promise.resolve();

  function change(changes: Partial<LauncherStatus>): void {
    status = { ...status, ...changes };
    inTurn(write);
  }

  /** One after the other; each writes what is known by then. */
  function inTurn(step: () => Promise<void>): void {
    writing = writing.then(step).catch(options.onFault);
  }

  async function write(): Promise<void> {
    const file = join(folder, statusFile);
    await writeFile(`${file}.new`, JSON.stringify(status), { mode: 0o600 });
    await rename(`${file}.new`, file);
  }

  change({});
  return {
    get status() {
      return status;
    },
    onConnected() {
      connections += 1;
      change({ connected: true, connectionSince: now(), reason: null });
    },
    onDisconnected(reason) {
      change({ connected: false, reason, ...(status.connected ? { connectionSince: now() } : {}) });
    },
    onRunStarted({ run, stack, stage }) {
      runs += 1;
      change({ run: { run, stack, stage, since: now() } });
    },
    onState({ drained, leaving, unavailable }) {
      change({ drained, leaving, unavailable });
    },
    onRunOver(outcome) {
      const { run, worker } = status;
      if (run === null) return;
      const ended = { worker, ...run, until: now(), outcome };
      inTurn(() => rememberRun(options.stateDirectory, ended));
      change({ run: null });
    },
    metrics: () =>
      [
        ...metric('poolwright_launcher_info', 'gauge', 'The launcher itself.', 1, {
          worker: status.worker,
          pool: status.pool,
          version: status.version,
          executor: status.executor,
        }),
        ...metric(
          'poolwright_launcher_connected',
          'gauge',
          'Whether the control plane is connected.',
          Number(status.connected),
        ),
        ...metric(
          'poolwright_launcher_busy',
          'gauge',
          'Whether there is a run.',
          Number(status.run !== null),
        ),
        ...metric(
          'poolwright_launcher_registrations_total',
          'counter',
          'Times that it registered.',
          connections,
        ),
        ...metric('poolwright_launcher_runs_started_total', 'counter', 'Assignments taken.', runs),
        ...metric(
          'process_start_time_seconds',
          'gauge',
          'Start of the process, Unix time.',
          status.started / 1000,
        ),
        ...metric('process_resident_memory_bytes', 'gauge', 'Resident memory.', process.memoryUsage.rss()),
        '',
      ].join('\n'),
    settled: () => writing,
  };
}

/** Text format 0.0.4 of Prometheus. */
function metric(
  name: string,
  type: 'gauge' | 'counter',
  help: string,
  value: number,
  labels: Readonly<Record<string, string>> = {},
): string[] {
  const pairs = Object.entries(labels).map(([label, text]) => `${label}=${JSON.stringify(text)}`);
  const suffix = pairs.length === 0 ? '' : `{${pairs.join(',')}}`;
  return [`# HELP ${name} ${help}`, `# TYPE ${name} ${type}`, `${name}${suffix} ${String(value)}`];
}
