// The whole path on real parts: control plane, launchers as processes, real tools, real containers.
import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { chmod, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { decideRun, stopRun, triggerRun } from '../../control-plane/cli/api/runs.js';
import { createStack } from '../../control-plane/cli/api/stacks.js';
import { uploadFolder } from '../../control-plane/cli/api/uploads.js';
import { setVariable } from '../../control-plane/cli/api/variables.js';
import { createWebhook, listWebhooks } from '../../control-plane/cli/api/webhooks.js';
import { setDrained } from '../../control-plane/cli/api/workers.js';
import { delivery } from '../control-plane/webhooks/support/deliveries.js';
import { logOf, startControlPlane, type TestPlane } from '../support/control-plane.js';
import { hasRunnerImage, runnerImage } from '../support/runner-image.js';
import { available, hasProgram } from '../support/skips.js';
import { temporaryFolder } from '../support/temporary.js';
import { until } from '../launcher/support/until.js';

const root = fileURLToPath(new URL('../..', import.meta.url));
const toolFolder = join(root, '.tools', 'bin');
const tofu = available(
  'OpenTofu runs',
  existsSync(join(toolFolder, 'tofu')),
  'no tofu in .tools/bin (npm run test:tools)',
);
const git = available('Git sources', hasProgram('git', '--version'), 'no git program');

describe('a run', { timeout: 60_000 }, () => {
  let folder: string;
  let plane: TestPlane;

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'poolwright-path-'));
    await chmod(folder, 0o755);
    plane = await startControlPlane(folder, {
      launchers: 2,
      environment: {
        PATH: `${toolFolder}:${process.env['PATH'] ?? ''}`,
        SPACELIFT_WHITELIST_ENVS: 'PASSED',
        PASSED: 'along',
      },
    });
  });
  afterAll(async () => {
    await plane.close();
    await rm(folder, { recursive: true });
  });

  it('goes through plan and apply, on another worker when the first is drained', async () => {
    await plane.idle(2);
    const { stack, run } = await plane.triggerRun({
      planCommands: ['echo planned > kept; mkdir -p .hidden/empty; ln -s kept link'],
      applyCommands: ['cat link; test -d .hidden/empty && echo folder is there'],
    });
    const planned = await plane.reached(stack, run, 'UNCONFIRMED');
    const first = await workerOf(run, 1);
    await setDrained(plane.client, plane.pool, first, true);
    await decideRun(plane.client, 'confirm', stack, run);
    const done = await plane.reached(stack, run, 'FINISHED');
    expect(done.history.toReversed().map(({ state }) => state)).toEqual([
      'QUEUED',
      'READY',
      'PREPARING',
      'INITIALIZING',
      'PLANNING',
      'UNCONFIRMED',
      'CONFIRMED',
      'APPLYING',
      'FINISHED',
    ]);
    expect(await workerOf(run, 2)).not.toBe(first);
    expect(await logOf(plane, stack, run, 'APPLYING')).toBe('planned\nfolder is there\n');
    expect(await logOf(plane, stack, run, 'CONFIRMED')).toContain('Fetching the workspace');
    expect(planned.attempt).toBe(1);
    await setDrained(plane.client, plane.pool, first, false);
  });

  /** The worker is named in the first line of its attempt. */
  async function workerOf(run: string, attempt: number): Promise<string> {
    const text = await readFile(join(folder, 'data', 'logs', run, `${String(attempt)}.ndjson`), 'utf8');
    return /Worker ([0-9A-Z]{26}) /.exec(text)?.[1] ?? '';
  }

  it('runs beside another one on the second worker', async () => {
    await plane.idle(2);
    const both = [1, 2].map((number) =>
      plane.triggerRun({ planCommands: [`echo ${String(number)}; sleep 4`], applyCommands: ['true'] }),
    );
    const runs = await Promise.all(both);
    await until(
      async () => (await plane.workers()).filter(({ busy }) => busy).length === 2,
      'two busy workers',
    );
    const ended = await Promise.all(runs.map(({ stack, run }) => plane.reached(stack, run, 'UNCONFIRMED')));
    expect(ended).toHaveLength(2);
  });

  it('keeps a sealed variable from the log, from the disk of the control plane, and from the API', async () => {
    const secret = 'sup3r-s3cret-välue';
    const made = await createStack(plane.client, {
      name: 'sealed',
      tool: 'commands',
      planCommands: [
        'echo "the secret is $TOKEN"; printf "%s" "$TOKEN" | wc -c; echo "$PASSED"; echo "$TOKEN" > kept',
      ],
      applyCommands: ['test "$(cat kept)" = "$TOKEN" && echo same'],
      autodeploy: true,
      workerPool: plane.pool,
    });
    await setVariable(plane.client, made.id, { name: 'TOKEN', value: secret, secret: true });
    const { id } = await triggerRun(plane.client, { stack: made.id });
    await plane.reached(made.id, id, 'FINISHED');
    const log = await logOf(plane, made.id, id, 'PLANNING');
    expect(log).toContain('the secret is ***\n');
    expect(log).toContain('along\n');
    expect(await logOf(plane, made.id, id, 'APPLYING')).toContain('same');
    await assertAbsent(join(folder, 'data'), secret);
  });

  async function assertAbsent(place: string, secret: string): Promise<void> {
    for (const name of await readdir(place, { recursive: true })) {
      const content = await readFile(join(place, name)).catch(() => Buffer.alloc(0));
      expect(content.includes(secret), join(place, name)).toBe(false);
    }
  }

  it.skipIf(!tofu)(
    'plans and applies a real configuration with OpenTofu, and counts its changes',
    async () => {
      const files = join(root, 'examples', 'stacks', 'opentofu');
      const made = await createStack(plane.client, {
        name: 'real',
        tool: 'opentofu',
        workerPool: plane.pool,
      });
      const { workspace } = await uploadFolder(plane.client, made.id, files);
      const { id } = await triggerRun(plane.client, { stack: made.id, workspace });
      const planned = await plane.reached(made.id, id, 'UNCONFIRMED', 'FAILED');
      expect(planned.failure).toBeNull();
      expect(planned.changes).toEqual({ add: 2, change: 0, destroy: 0, any: true });
      await decideRun(plane.client, 'confirm', made.id, id);
      await plane.reached(made.id, id, 'FINISHED');
      expect(await logOf(plane, made.id, id, 'APPLYING')).toContain('Hello from OpenTofu');
    },
  );

  it.skipIf(!tofu)('of a configuration without changes needs no confirmation', async () => {
    const files = await temporaryFolder();
    await writeFile(join(files, 'main.tf'), 'terraform {}\n');
    const made = await createStack(plane.client, {
      name: 'nothing',
      tool: 'opentofu',
      workerPool: plane.pool,
    });
    const { workspace } = await uploadFolder(plane.client, made.id, files);
    const { id } = await triggerRun(plane.client, { stack: made.id, workspace });
    const done = await plane.reached(made.id, id, 'FINISHED', 'UNCONFIRMED', 'FAILED');
    expect(done).toMatchObject({ state: 'FINISHED', changes: { any: false } });
  });

  it.skipIf(!git)('takes its files from a repository, at the tip of a branch or at a commit', async () => {
    const repository = await temporaryFolder();
    const runGit = (...args: string[]) =>
      execFileSync('git', ['-c', 'user.name=t', '-c', 'user.email=t@example.com', ...args], {
        cwd: repository,
        encoding: 'utf8',
      }).trim();
    runGit('init', '-q', '-b', 'main');
    await writeFile(join(repository, 'file'), 'first');
    runGit('add', '.');
    runGit('commit', '-qm', 'first');
    const first = runGit('rev-parse', 'HEAD');
    await writeFile(join(repository, 'file'), 'second');
    runGit('commit', '-qam', 'second');
    const second = runGit('rev-parse', 'HEAD');
    const made = await createStack(plane.client, {
      name: 'from git',
      tool: 'commands',
      planCommands: ['cat file'],
      repository: `file://${repository}`,
      workerPool: plane.pool,
    });
    for (const [commitSha, content, commit] of [
      [undefined, 'second', second],
      [first, 'first', first],
    ] as const) {
      const { id } = await triggerRun(plane.client, { stack: made.id, runType: 'PROPOSED', commitSha });
      const done = await plane.reached(made.id, id, 'FINISHED', 'FAILED');
      expect(done).toMatchObject({ state: 'FINISHED', commitSha: commit });
      expect(await logOf(plane, made.id, id, 'PLANNING')).toBe(content);
    }
  });

  it.skipIf(!git)('is started by a push, and runs what was pushed to another branch', async () => {
    const repository = await temporaryFolder();
    const runGit = (...args: string[]) =>
      execFileSync('git', ['-c', 'user.name=t', '-c', 'user.email=t@example.com', ...args], {
        cwd: repository,
        encoding: 'utf8',
      }).trim();
    runGit('init', '-q', '-b', 'main');
    runGit('commit', '-qm', 'first', '--allow-empty');
    runGit('checkout', '-qb', 'gateway');
    await writeFile(join(repository, 'file'), 'of the branch');
    runGit('add', '.');
    runGit('commit', '-qm', 'Add a file');
    const commit = runGit('rev-parse', 'HEAD');
    const { id: stack } = await createStack(plane.client, {
      name: 'pushed to',
      tool: 'commands',
      planCommands: ['cat file'],
      repository: `file://${repository}`,
      workerPool: plane.pool,
    });
    const { url, secret } = await createWebhook(plane.client, stack, 'generic');
    const { headers, body } = delivery('generic', secret, {
      body: JSON.stringify({ branch: 'gateway', commit, title: 'Add a file' }),
    });
    const response = await fetch(url, { method: 'POST', headers, body });
    const { runs } = (await response.json()) as { runs: { id: string }[] };
    const run = runs[0]?.id ?? '';
    expect(await plane.reached(stack, run, 'FINISHED', 'FAILED')).toMatchObject({
      state: 'FINISHED',
      type: 'PROPOSED',
      title: 'Add a file',
      commitSha: commit,
    });
    expect(await logOf(plane, stack, run, 'PLANNING')).toBe('of the branch');
    expect(await listWebhooks(plane.client, stack)).toMatchObject([
      { provider: 'generic', lastOutcome: `started the PROPOSED run ${run}` },
    ]);
  });

  it('says what is wrong with a repository that is not there', async () => {
    const { stack, run } = await plane.triggerRun({ repository: 'file:///nowhere/at/all.git' });
    const done = await plane.reached(stack, run, 'FAILED');
    expect(done.failure).toMatchObject({ code: 'SOURCE_UNAVAILABLE' });
    expect(done.failure?.message).toContain('/nowhere/at/all.git');
  });

  it('is stopped while it works, and what it started has ended', async () => {
    const { stack, run } = await plane.triggerRun({ planCommands: ['echo started; sleep 300'] });
    await until(
      async () => (await logOf(plane, stack, run, 'PLANNING').catch(() => '')).includes('started'),
      'the first line',
      20_000,
    );
    await stopRun(plane.client, stack, run, 'enough');
    const done = await plane.reached(stack, run, 'STOPPED');
    expect(done.note).toBe('enough');
    await plane.idle(2);
  });

  it('fails with the step that failed, and its output stays', async () => {
    const { stack, run } = await plane.triggerRun({ planCommands: ['echo before; exit 9'] });
    const done = await plane.reached(stack, run, 'FAILED');
    expect(done.failure).toMatchObject({ code: 'COMMAND_FAILED' });
    expect(done.failure?.message).toContain('exit code 9');
    expect(await logOf(plane, stack, run, 'PLANNING')).toContain('before\n');
  });

  it.skipIf(!hasRunnerImage('runs in containers'))('happens in a container', async () => {
    for (const worker of await plane.workers()) await setDrained(plane.client, plane.pool, worker.id, true);
    const launcher = await plane.startLauncher({
      POOLWRIGHT_EXECUTOR: 'docker',
      SPACELIFT_DEFAULT_RUNNER_IMAGE: runnerImage,
    });
    await plane.idle(1);
    const { stack, run } = await plane.triggerRun({
      planCommands: ['id -u; echo kept > file; pwd'],
      applyCommands: ['cat file'],
      autodeploy: true,
    });
    await plane.reached(stack, run, 'FINISHED');
    expect(await logOf(plane, stack, run, 'PLANNING')).toContain('1983\n/mnt/workspace/source\n');
    expect(await logOf(plane, stack, run, 'APPLYING')).toBe('kept\n');
    launcher.process.kill('SIGTERM');
    expect(await launcher.ended).toBe(0);
    for (const worker of await plane.workers()) await setDrained(plane.client, plane.pool, worker.id, false);
  });

  it('is finished by a launcher that gets SIGTERM, and stopped by one that gets two', async () => {
    for (const [signals, state] of [
      [1, 'UNCONFIRMED'],
      [2, 'FAILED'],
    ] as const) {
      for (const worker of await plane.workers()) await setDrained(plane.client, plane.pool, worker.id, true);
      const launcher = await plane.startLauncher();
      await plane.idle(1);
      const { stack, run } = await plane.triggerRun({
        planCommands: ['echo started; sleep 3; echo finished'],
      });
      await until(
        async () => (await logOf(plane, stack, run, 'PLANNING').catch(() => '')).includes('started'),
        'the first line',
        20_000,
      );
      for (let count = 0; count < signals; count += 1) {
        launcher.process.kill('SIGTERM');
        await new Promise((resolve) => setTimeout(resolve, 100));
      }
      expect(await launcher.ended).toBe(0);
      const done = await plane.reached(stack, run, state);
      expect(done.failure?.code).toBe(signals === 1 ? undefined : 'LAUNCHER_STOPPED');
      for (const worker of await plane.workers())
        await setDrained(plane.client, plane.pool, worker.id, false);
    }
  });

  it('is ended by the time limits of the launcher', async () => {
    for (const worker of await plane.workers()) await setDrained(plane.client, plane.pool, worker.id, true);
    const launcher = await plane.startLauncher({ SPACELIFT_LAUNCHER_LOGS_TIMEOUT: '2s' });
    await plane.idle(1);
    const { stack, run } = await plane.triggerRun({ planCommands: ['echo quiet now; sleep 60'] });
    const done = await plane.reached(stack, run, 'FAILED');
    expect(done.failure?.code).toBe('RUN_SILENT');
    launcher.process.kill('SIGTERM');
    await launcher.ended;
  });
});
