// An engine without room for an image: what was pulled before goes, it is pulled once more, and when that does not help, either,
// this worker takes no run for a while.
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { ulid } from 'ulid';
import { describe, expect, it, onTestFinished } from 'vitest';
import { createDockerExecutor } from '../../../launcher/executors/docker.js';
import type { Executor } from '../../../launcher/executors/executor.js';
import { createPulledImages } from '../../../launcher/executors/pulled-images.js';
import { shortage } from '../../../launcher/executors/shortage.js';
import { startRecordedEngine, type Answer } from '../../support/recorded-engine.js';
import { temporaryFolder } from '../../support/temporary.js';
import { manualClock } from '../support/manual-clock.js';
import { containerSettings } from './support/containers.js';

const image = 'registry.example/large:1';
const noRoom = 'write /var/lib/docker/tmp/GetImageBlob1: no space left on device';

/** `host`: DOCKER_HOST in the place of the engine's socket. */
async function withEngine(answers: Readonly<Record<string, Answer>>, host?: string) {
  const folder = await temporaryFolder();
  const { socketPath, asked } = await startRecordedEngine((what) => answers[what]);
  process.env['DOCKER_HOST'] = `unix://${socketPath}`;
  onTestFinished(() => {
    delete process.env['DOCKER_HOST'];
  });
  const life = { id: ulid(), folder: join(folder, 'life') };
  const workspace = join(life.folder, 'run.1', 'workspace');
  await mkdir(workspace, { recursive: true });
  const clock = manualClock();
  const executor = createDockerExecutor({
    life,
    containers: containerSettings,
    clock,
    dockerHost: host ?? process.env['DOCKER_HOST'],
    environment: {},
    userId: process.getuid?.(),
  });
  const request: Parameters<Executor['open']>[0] = {
    ...{ run: ulid(), attempt: 1, workspace, image, readRun: true },
    onNotice: () => undefined,
    signal: new AbortController().signal,
  };
  // Images that launchers of this state folder have pulled.
  const pulled = createPulledImages(join(folder, 'images'), () => 0);
  return { executor, asked, clock, pulled, open: () => executor.open(request) };
}

const ping = { 'GET /_ping': { body: {} } };
const seen = (folder: string) => ({ 'GET /info': { body: { DockerRootDir: folder } } });

describe('an engine without room for an image', () => {
  const fullEngine = {
    ...ping,
    ...seen('/not/here'),
    'POST /images/create': { body: [{ error: noRoom }] },
    'DELETE /images/registry.example/old:1': { body: [] },
  };

  it('gets it by what was pulled before, once', async () => {
    const { asked, pulled, open } = await withEngine(fullEngine);
    await pulled.add('registry.example/old:1');
    await expect(open()).rejects.toMatchObject({ code: 'DISK_FULL' });
    expect(asked.filter((what) => /create|DELETE/.test(what))).toEqual([
      'POST /images/create',
      'DELETE /images/registry.example/old:1',
      'POST /images/create',
    ]);
  });

  it('keeps its worker from the next run, for a while', async () => {
    const { executor, clock, open } = await withEngine(fullEngine);
    await executor.check();
    await expect(open()).rejects.toMatchObject({ code: 'DISK_FULL' });
    await expect(executor.check()).rejects.toMatchObject({
      code: 'DISK_FULL',
      message: expect.stringContaining(image) as string,
    });
    clock.advance(shortage.time);
    await executor.check();
  });

  it('or for a container keeps it as well', async () => {
    const { executor, open } = await withEngine({
      ...ping,
      ...seen('/not/here'),
      [`GET /images/${image}/json`]: { body: {} },
      'POST /containers/create': { status: 500, body: { message: `mkdir /var/lib/docker: ${noRoom}` } },
      'GET /containers/json': { body: [[]] },
    });
    await expect(open()).rejects.toMatchObject({ code: 'DISK_FULL' });
    await expect(executor.check()).rejects.toMatchObject({ code: 'DISK_FULL' });
  });
});

describe('the folder of an engine', () => {
  it('is looked at where it is on this machine', async () => {
    const folder = await temporaryFolder();
    const near = await withEngine({ ...ping, ...seen(folder) });
    expect(await near.executor.stores()).toEqual([folder]);
    const hidden = await withEngine({ ...ping, ...seen(join(folder, 'elsewhere')) });
    expect(await hidden.executor.stores()).toEqual([]);
    // There is a folder of that name here, too, and it is not the engine's.
    const far = await withEngine({ ...ping, ...seen(folder) }, 'tcp://engine.example:2375');
    expect(await far.executor.stores()).toEqual([]);
    expect(far.asked).toEqual([]);
  });

  it('makes room by images that were pulled here', async () => {
    const { executor, asked, pulled } = await withEngine({
      ...ping,
      'DELETE /images/registry.example/old:1': { body: [] },
    });
    await pulled.add('registry.example/old:1');
    expect(await executor.makeRoom(() => Promise.resolve(false))).toEqual(['registry.example/old:1']);
    expect(asked).toEqual(['DELETE /images/registry.example/old:1']);
  });
});
