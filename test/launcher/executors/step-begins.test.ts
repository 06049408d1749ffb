// The shell of a step that goes before it has begun: it is started again, and the step runs once.
import { execFile } from 'node:child_process';
import { mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { ulid } from 'ulid';
import { describe, expect, it, onTestFinished } from 'vitest';
import { systemClock } from '../../../launcher/clock.js';
import type { StepSink } from '../../../launcher/executors/executor.js';
import { createHostExecutor } from '../../../launcher/executors/host.js';
import { stepFailure } from '../../../launcher/run/failure.js';
import { temporaryFolder } from '../../support/temporary.js';

const run = promisify(execFile);
const sink: StepSink = {
  from: { segment: 1, offset: 0 },
  output: () => undefined,
  settled: () => Promise.resolve(),
  needed: () => 1,
};

/** A world on this machine whose shells do not start as long as `libraries` holds a C library that is none. */
async function openWorld() {
  const folder = await temporaryFolder();
  const workspace = join(folder, 'run', 'workspace');
  const libraries = join(folder, 'libraries');
  for (const each of [workspace, libraries]) await mkdir(each, { recursive: true });
  await writeFile(join(libraries, 'libc.so.6'), 'none');
  const executor = createHostExecutor({
    life: { id: ulid(), folder },
    clock: systemClock,
    path: process.env['PATH'] ?? '/usr/bin:/bin',
  });
  const world = await executor.open({
    run: ulid(),
    attempt: 1,
    workspace,
    image: '',
    readRun: false,
    onNotice: () => undefined,
    signal: new AbortController().signal,
  });
  onTestFinished(() => world.close());
  const witness = join(folder, 'witness');
  const step = {
    number: 1,
    name: 'plan 1',
    script: `echo begun >>${witness}; exit 4`,
    environment: { LD_LIBRARY_PATH: libraries },
    workingDirectory: workspace,
  };
  return {
    libraries,
    witnessed: () => readFile(witness, 'utf8').catch(() => ''),
    start: (stop = new AbortController().signal) => world.run(step, sink, stop),
  };
}

/** Whether a C library that is none keeps /bin/sh from starting: it does not where that is linked statically. */
async function canBreakShells(): Promise<boolean> {
  const folder = await temporaryFolder();
  await writeFile(join(folder, 'libc.so.6'), 'none');
  return run('/bin/sh', ['-c', ':'], { env: { LD_LIBRARY_PATH: folder } }).then(
    () => false,
    () => true,
  );
}

describe('a step whose shell goes before it has begun', { timeout: 30_000 }, () => {
  it('is executed once by a further one', async () => {
    expect(await canBreakShells()).toBe(true);
    const { libraries, start, witnessed } = await openWorld();
    const end = start();
    await new Promise((resolve) => setTimeout(resolve, 1000));
    expect(await witnessed()).toBe('');
    await rm(libraries, { recursive: true });
    expect(await end).toEqual({ exitCode: 4, signal: null, cause: 'exit' });
    expect(await witnessed()).toBe('begun\n');
  });

  it('is given up after three, and its run told that nothing of it was executed', async () => {
    const { start, witnessed } = await openWorld();
    const end = await start();
    expect(end).toEqual({ exitCode: null, signal: null, cause: 'not-begun' });
    const failure = stepFailure('plan 1', end, '', null);
    expect(failure.code).toBe('RUN_INTERRUPTED');
    expect(failure.message).toContain('Nothing of the step was executed');
    expect(await witnessed()).toBe('');
  });

  it('is not started again when its run is stopped', async () => {
    const { libraries, start, witnessed } = await openWorld();
    const stop = new AbortController();
    const end = start(stop.signal);
    await new Promise((resolve) => setTimeout(resolve, 1000));
    stop.abort();
    await rm(libraries, { recursive: true });
    expect(await end).toMatchObject({ cause: 'killed' });
    expect(await witnessed()).toBe('');
  });
});
