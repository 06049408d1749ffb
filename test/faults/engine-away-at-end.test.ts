// The container engine is away while a launcher ends in order: what the launcher cannot remove then, the next one of that
// machine removes.
import { execFileSync } from 'node:child_process';
import { chmod, mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ulidSchema } from '../../protocol/topics.js';
import { until } from '../launcher/support/until.js';
import { startControlPlane, type TestPlane } from '../support/control-plane.js';
import { startEngineSocket, type EngineSocket } from '../support/engine-socket.js';
import { hasRunnerImage, runnerImage } from '../support/runner-image.js';

describe.skipIf(!hasRunnerImage('an engine that is away at the end'))('an engine that is away', () => {
  let folder: string;
  let plane: TestPlane;
  let engine: EngineSocket;
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'pw-away-'));
    await chmod(folder, 0o755);
    plane = await startControlPlane(folder);
    engine = await startEngineSocket(join(folder, 'engine'));
  });
  afterAll(async () => {
    await plane.close();
    await engine.away();
    await rm(folder, { recursive: true, force: true });
  });

  /** The machine's engine, whatever the test's socket does. */
  const docker = (...words: string[]) =>
    execFileSync('docker', ['--host', 'unix:///var/run/docker.sock', ...words], { encoding: 'utf8' }).trim();

  it('while a launcher ends leaves a container to the next one', { timeout: 90_000 }, async () => {
    const state = join(folder, 'state');
    const environment = {
      POOLWRIGHT_EXECUTOR: 'docker',
      POOLWRIGHT_STATE_DIR: state,
      DOCKER_HOST: engine.host,
      SPACELIFT_WORKER_NETWORK: 'none',
      SPACELIFT_DEFAULT_RUNNER_IMAGE: runnerImage,
    };
    const lives = async () => (await readdir(state)).filter((name) => ulidSchema.safeParse(name).success);
    const first = await plane.startLauncher(environment);
    await plane.idle(1);
    const [life = ''] = await lives();
    // As the engine leaves one behind that made it and could not say so.
    const label = `poolwright.life=${life}`;
    docker('run', '--detach', '--label', label, '--network', 'none', runnerImage, 'sleep', '600');
    const left = () => docker('ps', '--all', '--quiet', '--filter', `label=${label}`);
    await engine.away();
    first.process.kill('SIGTERM');
    expect(await first.ended).toBe(0);
    expect(first.output()).toContain('The next launcher sees to it');
    expect(left()).not.toBe('');
    expect(await lives()).toEqual([life]);

    await engine.back();
    const second = await plane.startLauncher(environment);
    await until(() => left() === '', 'the container to go', 30_000);
    await until(async () => !(await lives()).includes(life), 'its folder to go');
    second.process.kill('SIGTERM');
    expect(await second.ended).toBe(0);
    expect(await lives()).toEqual([]);
  });
});
