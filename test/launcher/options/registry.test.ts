// The effect of the Docker configuration folder: images of a registry that wants credentials.
import { execFileSync } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startControlPlane, type TestPlane } from '../../support/control-plane.js';
import { startRegistry, type LocalRegistry } from '../../support/registry.js';
import { hasRunnerImage } from '../../support/runner-image.js';

const credentials = { username: 'worker', password: 'geheim:42' };

describe.skipIf(!hasRunnerImage('a private registry'))('a private registry', { timeout: 60_000 }, () => {
  let folder: string;
  let plane: TestPlane;
  let registry: LocalRegistry;
  let image: string;
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'poolwright-registry-'));
    registry = await startRegistry(credentials);
    image = `${registry.host}/runners/runner:1`;
    plane = await startControlPlane(folder);
  });
  afterAll(async () => {
    await plane.close();
    await registry.close();
    await rm(folder, { recursive: true });
  });

  /** How a run with the registry's image ends on a launcher with these variables. */
  async function ending(environment: Record<string, string>) {
    const launcher = await plane.startLauncher({ POOLWRIGHT_EXECUTOR: 'docker', ...environment });
    await plane.idle(1);
    const { stack, run } = await plane.triggerRun({ runnerImage: image }, { task: 'echo in the image' });
    const done = await plane.reached(stack, run, 'FINISHED', 'FAILED');
    launcher.process.kill('SIGTERM');
    expect(await launcher.ended).toBe(0);
    return done;
  }

  it('is closed to a launcher without credentials, which says where they would be', async () => {
    const { failure } = await ending({});
    expect(failure?.code).toBe('IMAGE_UNAVAILABLE');
    expect(failure?.message).toContain(image);
    expect(failure?.message).toContain('SPACELIFT_DOCKER_CONFIG_DIR');
  });

  it('SPACELIFT_DOCKER_CONFIG_DIR holds the credentials by which images are pulled', async () => {
    const auth = Buffer.from(`${credentials.username}:${credentials.password}`).toString('base64');
    await writeFile(join(folder, 'config.json'), JSON.stringify({ auths: { [registry.host]: { auth } } }));
    const { state, failure } = await ending({ SPACELIFT_DOCKER_CONFIG_DIR: folder });
    expect(failure).toBeNull();
    expect(state).toBe('FINISHED');
    execFileSync('docker', ['rmi', image], { stdio: 'ignore' });
  });
});
