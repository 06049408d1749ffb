// Which images go when the disk is full, on the real engine: those that a launcher pulled, the longest unused first.
import { execFileSync } from 'node:child_process';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import Docker from 'dockerode';
import { expect, it, onTestFinished } from 'vitest';
import { systemClock } from '../../../launcher/clock.js';
import { ensureImage } from '../../../launcher/executors/docker-image.js';
import { createPulledImages } from '../../../launcher/executors/pulled-images.js';
import { startRegistry } from '../../support/registry.js';
import { hasRunnerImage, runnerImage } from '../../support/runner-image.js';
import { temporaryFolder } from '../../support/temporary.js';

const credentials = { username: 'worker', password: 'geheim' };
const docker = (...args: string[]) => execFileSync('docker', args, { encoding: 'utf8' }).trim();

it.skipIf(!hasRunnerImage('images and full disks'))(
  'a full disk takes the images that were pulled here, oldest first, and nobody else’s',
  { timeout: 60_000 },
  async () => {
    const folder = await temporaryFolder();
    const registry = await startRegistry(credentials);
    onTestFinished(() => registry.close());
    const auth = Buffer.from(`${credentials.username}:${credentials.password}`).toString('base64');
    await writeFile(join(folder, 'config.json'), JSON.stringify({ auths: { [registry.host]: { auth } } }));
    const named = (name: string) => `${registry.host}/runners/${name}:1`;
    const there = () =>
      docker('images', '--format', '{{.Repository}}:{{.Tag}}')
        .split('\n')
        .filter((name) => name.startsWith(registry.host))
        .sort();
    let now = Date.now();
    const pulled = createPulledImages(join(folder, 'images'), () => now);
    const client = new Docker();
    const use = async (image: string) => {
      now += 1000;
      await ensureImage(client, {
        image,
        configDirectory: folder,
        environment: process.env,
        pulled,
        onNotice: () => undefined,
        signal: new AbortController().signal,
        now: () => systemClock.monotonic(),
      });
    };
    onTestFinished(() => {
      for (const image of there()) docker('rmi', image);
    });
    docker('tag', runnerImage, named('foreign'));
    // Somebody else's, though it is used here.
    await use(named('foreign'));
    for (const name of ['first', 'second', 'third']) await use(named(name));
    // Used again, and so younger than the others.
    await use(named('first'));

    const one = await pulled.remove(client, () => Promise.resolve(there().length <= 3));
    expect(one).toEqual([named('second')]);
    const rest = await pulled.remove(client, () => Promise.resolve(false));
    expect(rest).toEqual([named('third'), named('first')]);
    expect(there()).toEqual([named('foreign')]);
    expect(await pulled.remove(client, () => Promise.resolve(false))).toEqual([]);
  },
);
