// `launcher status`: what the launchers on this machine do now, from the files that they keep.
import { readdir, readFile, statfs } from 'node:fs/promises';
import { join } from 'node:path';
import { messageOf, PoolwrightError } from '../../protocol/errors.js';
import { ulidSchema } from '../../protocol/topics.js';
import { deadLives } from '../life.js';
import { lastRuns, type EndedRun } from '../status/history.js';
import { statusFile, statusSchema, type LauncherStatus } from '../status/report.js';

export const statusHelp = `launcher status – what the launchers on this machine do now

Usage: launcher status [--json]

Looks into the state folder (POOLWRIGHT_STATE_DIR, with the launcher's own default).
Exit codes: 0 every launcher is connected and able to take runs, or has one; 1 one is not, or there is none; 2 wrong
arguments.
`;

/** Runs that have ended. */
const shown = 10;

/** Answers the exit code. `folder`: the state folder. `now`: Unix milliseconds. */
export async function statusCommand(
  args: readonly string[],
  print: (text: string) => void,
  { folder, now }: { readonly folder: string; readonly now: number },
): Promise<number> {
  if (args.some((arg) => arg !== '--json')) {
    print(statusHelp);
    return args.includes('--help') || args.includes('-h') ? 0 : 2;
  }
  const launchers = await readAll(folder);
  const { bavail, bsize } = await statfs(folder).catch(() => ({ bavail: 0, bsize: 0 }));
  const disk = { folder, freeBytes: bavail * bsize };
  const runs = await lastRuns(folder, shown);
  if (args.includes('--json')) print(`${JSON.stringify({ launchers, lastRuns: runs, disk }, null, 2)}\n`);
  else {
    for (const launcher of launchers) print(describe(launcher, now));
    if (launchers.length === 0) print(`No launcher runs on ${folder}.\n`);
    for (const run of runs) print(before(run, now));
    print(`Disk: ${(disk.freeBytes / 1024 ** 3).toFixed(1)} GiB free for ${folder}\n`);
  }
  const well = launchers.every(({ connected, unavailable }) => connected && unavailable === null);
  return launchers.length > 0 && well ? 0 : 1;
}

/** Throws FORBIDDEN when this user cannot look: that nobody runs here would be wrong then. */
async function readAll(folder: string): Promise<LauncherStatus[]> {
  const names = await readdir(folder).catch((error: unknown) => {
    if (codeOf(error) === 'ENOENT') return [];
    throw unreadable(folder, error);
  });
  const lives = names.filter((name) => ulidSchema.safeParse(name).success).sort();
  for (const name of lives) {
    await readdir(join(folder, name)).catch((error: unknown) => {
      if (codeOf(error) !== 'ENOENT') throw unreadable(join(folder, name), error);
    });
  }
  const dead = lives.length === 0 ? [] : (await deadLives(folder)).map(({ id }) => id);
  const found: LauncherStatus[] = [];
  for (const name of lives.filter((life) => !dead.includes(life))) {
    const file = join(folder, name, statusFile);
    const text = await readFile(file, 'utf8').catch((error: unknown) => {
      // A launcher that has just started has not written it yet.
      if (codeOf(error) === 'ENOENT') return undefined;
      throw unreadable(file, error);
    });
    if (text !== undefined) found.push(readStatus(file, text));
  }
  return found;
}

function readStatus(file: string, text: string): LauncherStatus {
  try {
    return statusSchema.parse(JSON.parse(text));
  } catch {
    throw new PoolwrightError(
      'INVALID_ARGUMENT',
      `${file} is not the status of a launcher of this version. Ask the launcher that wrote it: it answers the same command.`,
    );
  }
}

function codeOf(error: unknown): unknown {
  return error instanceof Error && 'code' in error ? error.code : undefined;
}

function unreadable(path: string, error: unknown): PoolwrightError {
  return new PoolwrightError(
    'FORBIDDEN',
    `${path} cannot be read (${messageOf(error)}). Ask as root, or as the user that the launcher runs as.`,
  );
}

function describe(launcher: LauncherStatus, now: number): string {
  const { run, update, drained, leaving, unavailable } = launcher;
  const ago = (since: number) => seconds(since, now);
  return [
    `Worker ${launcher.worker} of pool ${launcher.pool} (launcher ${launcher.version}, ${launcher.executor})`,
    ...(update === null ? [] : updateLines(launcher.version, update)),
    launcher.connected
      ? `  connected for ${ago(launcher.connectionSince)}`
      : `  not connected for ${ago(launcher.connectionSince)}: ${launcher.reason ?? 'connecting'}`,
    run === null
      ? '  no run'
      : `  run ${run.run} of ${run.stack}, ${run.stage.toLowerCase()}, for ${ago(run.since)}`,
    ...(drained ? ['  drained: it gets no run until it is undrained'] : []),
    ...(unavailable === null ? [] : [`  not able to take a run: ${unavailable}`]),
    ...(leaving === null ? [] : [`  ends${run === null ? '' : ' after its run'}: ${leaving}`]),
    '',
  ].join('\n');
}

function before({ run, stack, stage, outcome, since, until }: EndedRun, now: number): string {
  const how = outcome === 'dropped' ? 'given up here' : outcome;
  return `Before: ${run} of ${stack}, ${stage.toLowerCase()}, ${how}, took ${seconds(since, until)}, ended ${seconds(until, now)} ago\n`;
}

function seconds(since: number, until: number): string {
  return `${String(Math.max(0, Math.round((until - since) / 1000)))} s`;
}

function updateLines(version: string, { base, failed }: NonNullable<LauncherStatus['update']>): string[] {
  return [
    version === base ? '  takes updates, and runs as it was deployed' : `  updated from launcher ${base}`,
    ...(failed === null ? [] : [`  launcher ${failed.version} was given up: ${failed.reason}`]),
  ];
}
