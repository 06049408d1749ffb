// What every executor promises, on each of them: the host, and the container engine where there is one.
import { spawn } from 'node:child_process';
import { mkdir, mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ulid } from 'ulid';
import { describe, expect, it, onTestFinished } from 'vitest';
import { systemClock } from '../../../launcher/clock.js';
import { createDockerExecutor } from '../../../launcher/executors/docker.js';
import type {
  Executor,
  LauncherLife,
  OutputPlace,
  RunWorld,
  StepEnd,
  StepSink,
  WorldRequest,
} from '../../../launcher/executors/executor.js';
import { createHostExecutor } from '../../../launcher/executors/host.js';
import { groupsOf, openGroup, removeGroup } from '../../../launcher/executors/host-groups.js';
import { markedProcesses, markVariable } from '../../../launcher/executors/host-processes.js';
import type { ContainerSettings } from '../../../launcher/settings/settings.js';
import { hasRunnerImage, runnerImage } from '../../support/runner-image.js';
import { available } from '../../support/skips.js';
import { temporaryFolder } from '../../support/temporary.js';
import { until } from '../support/until.js';
import { containerSettings, machineDocker } from './support/containers.js';

const path = process.env['PATH'] ?? '/usr/bin:/bin';
const never = new AbortController().signal;

type Make = (life: LauncherLife, settings?: Partial<ContainerSettings>) => Executor;

const host: Make = (life) => createHostExecutor({ life, clock: systemClock, path, grace: 300 });
const docker: Make = (life, settings) =>
  createDockerExecutor({
    life,
    containers: { ...containerSettings, ...settings },
    clock: systemClock,
    dockerHost: undefined,
    environment: process.env,
    userId: process.getuid?.(),
    grace: 300,
  });

/** Takes output from a place on, and lets everything go that it has. */
function collector(from: OutputPlace = { segment: 1, offset: 0 }) {
  const parts: Uint8Array[] = [];
  let last = from;
  const sink: StepSink = {
    from,
    output(bytes, place) {
      parts.push(Uint8Array.from(bytes));
      last = { segment: place.segment, offset: place.offset + bytes.length };
    },
    settled: () => Promise.resolve(),
    needed: () => last.segment,
  };
  return { sink, output: () => Buffer.concat(parts).toString('utf8'), place: () => last };
}

interface Opened {
  readonly life: string;
  /** The life's. */
  readonly folder: string;
  readonly world: RunWorld;
  readonly workspace: string;
  readonly notices: string[];
  readonly run: (
    script: string,
    options?: { env?: Record<string, string>; signal?: AbortSignal },
  ) => Promise<StepEnd & { output: string }>;
  /** What the step that was started last has printed by now. */
  readonly printed: () => string;
}

async function open(
  make: Make,
  changes: Partial<WorldRequest> = {},
  settings?: Partial<ContainerSettings>,
): Promise<Opened> {
  const folder = await temporaryFolder();
  const workspace = join(folder, 'run', 'workspace');
  await mkdir(workspace, { recursive: true });
  const notices: string[] = [];
  const life = ulid();
  const executor = make({ id: life, folder }, settings);
  const world = await executor.open({
    run: ulid(),
    attempt: 1,
    workspace,
    image: runnerImage,
    readRun: false,
    onNotice: (line) => notices.push(line),
    signal: never,
    ...changes,
  });
  onTestFinished(() => world.close());
  let number = 0;
  let printed = () => '';
  return {
    printed: () => printed(),
    life,
    folder,
    world,
    workspace,
    notices,
    async run(script, { env = {}, signal = never } = {}) {
      number += 1;
      const step = {
        number,
        name: 'test',
        script,
        environment: env,
        workingDirectory: world.projectDirectory,
      };
      const { sink, output } = collector();
      printed = output;
      const end = await world.run(step, sink, signal);
      return { ...end, output: output() };
    },
  };
}

const hasGroups = available('control groups of runs', await canGroup(), 'none can be made by this user');

async function canGroup(): Promise<boolean> {
  const life = { id: ulid(), folder: await mkdtemp(join(tmpdir(), 'poolwright-groups-')) };
  const group = await openGroup(life, `${life.id}.run.1`);
  if (group !== null) await removeGroup(group, systemClock);
  await rm(life.folder, { recursive: true });
  return group !== null;
}

const kinds: readonly (readonly [string, Make, boolean])[] = [
  ['host', host, true],
  ['docker', docker, hasRunnerImage('the docker executor')],
];

describe.each(kinds)('the executor %s', (kind, make, there) => {
  describe.skipIf(!there)('runs a step', () => {
    it('and tells output, in order, and exit code', async () => {
      const { run } = await open(make);
      const end = await run('echo one; echo two >&2; echo three; exit 3');
      expect(end).toEqual({ exitCode: 3, signal: null, cause: 'exit', output: 'one\ntwo\nthree\n' });
    });

    it('and ends it at the first command that fails', async () => {
      const { run } = await open(make);
      expect(await run('false; echo not reached')).toMatchObject({ exitCode: 1, output: '' });
    });

    it("with its environment and nothing of the launcher's", async () => {
      process.env['LAUNCHER_SECRET'] = 'do not pass on';
      onTestFinished(() => {
        delete process.env['LAUNCHER_SECRET'];
      });
      const { run } = await open(make);
      const { output } = await run('env; touch "$HOME/written"', { env: { GIVEN: 'a "value" with $signs' } });
      expect(output).toContain('GIVEN=a "value" with $signs\n');
      expect(output).not.toContain('LAUNCHER_SECRET');
    });

    it('in the workspace, whose files the next step and this machine see', async () => {
      const { run, workspace } = await open(make);
      await writeFile(join(workspace, 'given'), 'from outside');
      expect((await run('cat given; mkdir -p out; echo made > out/file')).output).toBe('from outside');
      expect((await run('cat out/file')).output).toBe('made\n');
      expect(await readFile(join(workspace, 'out/file'), 'utf8')).toBe('made\n');
    });

    it('and hands over much output whole', { timeout: 60_000 }, async () => {
      const { run } = await open(make);
      const { output } = await run(
        'i=0; while [ $i -lt 200000 ]; do echo "line $i with some text"; i=$((i+1)); done',
      );
      const lines = output.trimEnd().split('\n');
      expect(lines).toHaveLength(200_000);
      expect(lines[123_456]).toBe('line 123456 with some text');
    });
  });

  describe.skipIf(!there)('ends a step', () => {
    it('that is told to stop, with SIGTERM first', async () => {
      const { run, printed } = await open(make);
      const stop = new AbortController();
      const ended = run('trap "echo cleaned up; exit 0" TERM; echo ready; while :; do sleep 0.1; done', {
        signal: stop.signal,
      });
      await until(() => printed() !== '', 'the step to be ready');
      stop.abort(new Error('stop'));
      const end = await ended;
      expect(end.cause).toBe('killed');
      expect(end.output).toContain('cleaned up');
    });

    it('that does not mind SIGTERM, by SIGKILL after the grace time, and its children', async () => {
      const { run, printed, world } = await open(make);
      const stop = new AbortController();
      const ended = run('trap "" TERM; (trap "" TERM; sleep 300) & echo ready; sleep 300', {
        signal: stop.signal,
      });
      await until(() => printed() !== '', 'the step to be ready');
      stop.abort(new Error('stop'));
      expect((await ended).cause).toBe('killed');
      await world.close();
    });

    it('that leaves something in the background with its output open', { timeout: 20_000 }, async () => {
      const { run } = await open(make);
      const end = await run('sleep 120 & echo done');
      expect(end.output).toBe('done\n');
      expect(end.exitCode).toBe(0);
    });
  });

  it.skipIf(!there)('gives a step to the next process, from any byte on', { timeout: 30_000 }, async () => {
    const folder = await temporaryFolder();
    const life = { id: ulid(), folder };
    const workspace = join(folder, 'run', 'workspace');
    await mkdir(workspace, { recursive: true });
    const request = {
      run: ulid(),
      attempt: 1,
      workspace,
      image: runnerImage,
      readRun: false,
      onNotice: () => undefined,
      signal: never,
    };
    const first = await make(life).open(request);
    onTestFinished(() => first.close());
    const step = {
      number: 1,
      name: 'followed',
      script: 'echo begun >> begun; echo one; sleep 1; echo two; exit 3',
      environment: {},
      workingDirectory: first.projectDirectory,
    };
    // The first one reads and lets nothing go, as if it had been killed before that.
    const begun = first.run(step, { ...collector().sink, needed: () => 1 }, never);
    await until(() => readFile(join(workspace, 'begun')).catch(() => undefined), 'the step to begin');
    const second = await make(life).adopt(request);
    const later = collector({ segment: 1, offset: 2 });
    expect(await second.run(step, later.sink, never)).toMatchObject({ exitCode: 3, cause: 'exit' });
    expect(later.output()).toBe('e\ntwo\n');
    expect(await begun).toMatchObject({ exitCode: 3 });
    // Also when it has ended long before.
    const last = collector();
    expect(await second.run(step, last.sink, never)).toMatchObject({ exitCode: 3 });
    expect(last.output()).toBe('one\ntwo\n');
    expect(await readFile(join(workspace, 'begun'), 'utf8')).toBe('begun\n');
    await second.close();
    await expect(make(life).adopt(request)).rejects.toMatchObject({ code: 'RUN_INTERRUPTED' });
  });

  it.skipIf(!there)('takes nothing for output that leads out of its folder', async () => {
    const { run, workspace } = await open(make);
    const secret = join(await temporaryFolder(), 'secret');
    await writeFile(secret, 'not for the log');
    const output = kind === 'docker' ? '/mnt/workspace/output' : join(workspace, '..', 'output');
    const end = await run(`ln -sf ${secret} ${output}/1.2.out; echo shown; exit 0`);
    // A run that makes the next part itself may hide its own line in the part before: that depends on timing.
    expect(['shown\n', '']).toContain(end.output);
  });

  it.skipIf(!there)('sweeps up what a launcher left that was killed', { timeout: 30_000 }, async () => {
    const folder = await temporaryFolder();
    const life = { id: ulid(), folder };
    const { world } = await (async () => {
      const workspace = join(folder, 'left', 'workspace');
      await mkdir(workspace, { recursive: true });
      return {
        world: await make(life).open({
          run: ulid(),
          attempt: 1,
          workspace,
          image: runnerImage,
          readRun: false,
          onNotice: () => undefined,
          signal: never,
        }),
      };
    })();
    // Nobody waits for this step: its launcher is thought to be dead.
    const step = {
      number: 1,
      name: 'left',
      script: 'sleep 300',
      environment: {},
      workingDirectory: world.projectDirectory,
    };
    const ended = world.run(step, collector().sink, never).catch(() => undefined);
    // What fetches files is a process of this machine with every executor.
    const fetching = spawn('sleep', ['300'], {
      env: { PATH: path, [markVariable]: `${life.id}.run.1.source` },
      detached: true,
      stdio: 'ignore',
    });
    await new Promise((resolve) => setTimeout(resolve, 700));
    expect(await markedProcesses(life.id)).toContain(fetching.pid);
    const other = make({ id: ulid(), folder: await temporaryFolder() });
    expect(await other.sweep([life])).toBe(1);
    expect(await other.sweep([life])).toBe(0);
    await ended;
    expect(await markedProcesses(life.id)).toEqual([]);
  });
});

describe('the host executor', () => {
  it('finds a process that left its group and closed its output', async () => {
    const { run, world, life } = await open(host);
    await run('setsid sh -c "exec >/dev/null 2>&1 </dev/null; sleep 300" & sleep 0.2');
    await world.close();
    await until(async () => (await markedProcesses(life)).length === 0, 'no process of the run');
  });

  describe.skipIf(!hasGroups)('with a control group', () => {
    /** Leaves session, parents and environment behind, and does not mind SIGTERM. */
    const escape = `env -i /usr/bin/setsid /bin/sh -c 'trap "" TERM; echo $$ >escaped; while :; do sleep 1; done' \
      >/dev/null 2>&1 </dev/null & until [ -s escaped ]; do sleep 0.01; done`;
    const runs = async (workspace: string) => {
      const id = (await readFile(join(workspace, 'escaped'), 'utf8')).trim();
      // One that has ended and that nobody has waited for has no command any more.
      return (await readFile(`/proc/${id}/cmdline`, 'utf8').catch(() => '')) !== '';
    };

    it('ends a process that hides from everything else, at the end of its step', async () => {
      const { run, workspace, world, life, folder } = await open(host);
      expect(await run(escape)).toMatchObject({ exitCode: 0 });
      expect(await runs(workspace)).toBe(false);
      expect(await groupsOf({ id: life, folder })).toHaveLength(1);
      await world.close();
      expect(await groupsOf({ id: life, folder })).toEqual([]);
    });

    it('finds it when its launcher was killed', async () => {
      const { run, workspace, life, folder } = await open(host);
      // Its launcher is thought to be dead: nobody waits for this step.
      const ended = run(`${escape}; sleep 300`);
      const told = () => readFile(join(workspace, 'escaped'), 'utf8').catch(() => '');
      await until(async () => (await told()) !== '', 'the process');
      expect(await runs(workspace)).toBe(true);
      const other = host({ id: ulid(), folder: await temporaryFolder() });
      expect(await other.sweep([{ id: life, folder }])).toBe(1);
      expect(await runs(workspace)).toBe(false);
      expect(await groupsOf({ id: life, folder })).toEqual([]);
      await ended;
    });
  });
});

describe.skipIf(!hasRunnerImage('the docker executor'))('the docker executor', () => {
  it('runs as UID 1983, without new privileges', async () => {
    const { run } = await open(docker);
    const { output } = await run('id -u; id -g; grep NoNewPrivs /proc/self/status');
    expect(output.split('\n').slice(0, 2)).toEqual(['1983', '1983']);
    expect(output).toMatch(/NoNewPrivs:\s+1/);
  });

  it(
    'tells a step that lost a process for want of memory, and not the one after it',
    { timeout: 30_000 },
    async () => {
      const { run, life } = await open(docker);
      const container = machineDocker('ps', '--quiet', '--filter', `label=poolwright.life=${life}`);
      machineDocker('update', '--memory', '24m', '--memory-swap', '24m', container);
      const large = 'dd if=/dev/zero of=/dev/null bs=200M count=1';
      expect(await run(`${large} || exit 1`)).toMatchObject({ exitCode: 1, cause: 'out-of-memory' });
      expect(await run(`${large} || echo went on`)).toMatchObject({ exitCode: 0, cause: 'exit' });
      expect(await run('exit 1')).toMatchObject({ exitCode: 1, cause: 'exit' });
      expect(await run('kill -9 $$')).toMatchObject({ signal: 'SIGKILL', cause: 'exit' });
    },
  );

  it('gives files to the run that were there before', async () => {
    const { run, workspace } = await open(docker);
    await mkdir(join(workspace, 'deep'), { mode: 0o700 });
    await writeFile(join(workspace, 'deep', 'file'), 'x', { mode: 0o600 });
    expect((await run('echo more >> deep/file; cat deep/file')).output).toBe('xmore\n');
    expect((await stat(join(workspace, 'deep/file'))).uid).toBe(1983);
  });

  it('mounts what belongs to the kind of run', async () => {
    const folder = await temporaryFolder();
    for (const name of ['all', 'read', 'write'] as const) await mkdir(join(folder, name));
    const mounts = (['all', 'read', 'write'] as const).map((runs) => ({
      hostPath: join(folder, runs),
      containerPath: `/mnt/extra-${runs}`,
      runs,
    }));
    const read = await open(docker, { readRun: true }, { mounts });
    expect((await read.run('cd /mnt; echo extra-*')).output).toBe('extra-all extra-read\n');
    const write = await open(docker, { readRun: false }, { mounts });
    expect((await write.run('cd /mnt; echo extra-*')).output).toBe('extra-all extra-write\n');
  });

  it('says that an image is not there and cannot be pulled', { timeout: 60_000 }, async () => {
    await expect(open(docker, { image: 'localhost:1/nothing/here:1' })).rejects.toMatchObject({
      code: 'IMAGE_UNAVAILABLE',
      message: expect.stringContaining('localhost:1/nothing/here:1') as string,
    });
  });

  it('says that no engine answers, and what to do', async () => {
    const gone = createDockerExecutor({
      life: { id: ulid(), folder: '/nowhere' },
      containers: containerSettings,
      clock: systemClock,
      environment: process.env,
      dockerHost: 'unix:///nowhere/docker.sock',
      userId: 0,
    });
    await expect(gone.check()).rejects.toMatchObject({
      code: 'ENGINE_UNAVAILABLE',
      message: expect.stringContaining('POOLWRIGHT_EXECUTOR=host') as string,
    });
  });
});
