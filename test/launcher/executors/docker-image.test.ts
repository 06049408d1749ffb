// What is said of a pull: lines while it goes forward, none while nothing comes, since a run that waits for it counts as silent
// then. And what becomes of one that there is no room for.
import Docker from 'dockerode';
import { describe, expect, it } from 'vitest';
import { ensureImage } from '../../../launcher/executors/docker-image.js';
import type { PulledImages } from '../../../launcher/executors/pulled-images.js';
import { startRecordedEngine, type Answer } from '../../support/recorded-engine.js';

const image = 'registry.example/runner:1';

const layer = (status: string, current?: number) => ({
  status,
  id: 'a1',
  progressDetail: { ...(current === undefined ? {} : { current }), total: 80_000_000 },
});

const full: Answer = {
  body: [
    layer('Extracting', 10_000_000),
    { error: 'failed to register layer: write /usr/bin/tofu: no space left on device' },
  ],
};
const whole: Answer = { body: [{ status: 'Pull complete', id: 'a1', progressDetail: {} }] };

/**
 * Pulls from an engine that has nothing and answers with these events, the last ones each time from then on; ten seconds
 * pass between two of them. `removable`: images that were pulled here before.
 */
async function pull(
  pulling: readonly [Answer, ...Answer[]],
  {
    signal = new AbortController().signal,
    removable = [],
    notices = [],
  }: { signal?: AbortSignal; removable?: readonly string[]; notices?: string[] } = {},
) {
  let pulls = 0;
  const { socketPath } = await startRecordedEngine((asked) => {
    if (asked !== 'POST /images/create') return undefined;
    pulls += 1;
    return pulling[Math.min(pulls, pulling.length) - 1];
  });
  const remove: PulledImages['remove'] = async (_, enough) => ((await enough()) ? [] : removable);
  let now = 0;
  await ensureImage(new Docker({ socketPath }), {
    image,
    configDirectory: null,
    environment: {},
    pulled: {
      add: () => Promise.resolve(),
      used: () => Promise.resolve(),
      remove,
    },
    onNotice: (line) => notices.push(line),
    signal,
    now: () => (now += 10_000),
  });
  return notices;
}

describe('a pull', () => {
  it('is told of while it goes forward', async () => {
    const notices = await pull([
      {
        body: [
          { status: 'Pulling from runner', id: '1' },
          layer('Downloading', 20_000_000),
          layer('Downloading', 60_000_000),
          layer('Extracting', 10_000_000),
          { status: 'Pull complete', id: 'a1', progressDetail: {} },
        ],
      },
    ]);
    expect(notices).toEqual([
      `Pulling the image ${image} …`,
      '  0 of 0 MB in 0 layers',
      '  20 of 80 MB in 1 layers',
      '  60 of 80 MB in 1 layers',
      '  10 of 80 MB in 1 layers',
      '  10 of 80 MB in 1 layers',
    ]);
  });

  it('is not told of while nothing comes, whatever the engine says again and again', async () => {
    const hung = Array.from({ length: 30 }, () => layer('Downloading', 20_000_000));
    const notices = await pull([
      {
        body: [
          ...hung,
          layer('Waiting'),
          ...[3, 2, 1].map((seconds) => layer(`Retrying in ${String(seconds)} seconds`)),
          ...Array.from({ length: 30 }, () => layer('Downloading')),
        ],
      },
    ]);
    expect(notices.slice(1)).toEqual(['  20 of 80 MB in 1 layers', '  20 of 80 MB in 1 layers']);
  });

  it('that hangs ends with its run', async () => {
    const stop = new AbortController();
    setTimeout(() => {
      stop.abort(new Error('the run has ended'));
    }, 50);
    const hanging: Answer = { body: [layer('Downloading', 1)], hangs: true };
    await expect(pull([hanging], { signal: stop.signal })).rejects.toThrow('the run has ended');
  });
});

describe('a pull that there is no room for', () => {
  it('is tried once more when images have gone that were pulled here', async () => {
    const notices = await pull([full, whole], { removable: ['one', 'two'] });
    expect(notices).toContain(
      'There is no room for it; removed 2 image(s) that were pulled here before. Pulling it again …',
    );
  });

  it('fails as a fault of the disk when that does not help, or none could go', async () => {
    for (const removable of [['one'], []]) {
      const notices: string[] = [];
      await expect(pull([full], { removable, notices })).rejects.toMatchObject({
        code: 'DISK_FULL',
        message: expect.stringContaining(image) as string,
      });
      expect(notices.filter((line) => line.includes('again'))).toHaveLength(removable.length);
    }
  });

  it('for another reason fails at once, and takes no image', async () => {
    const notices: string[] = [];
    const denied: Answer = { status: 500, body: { message: 'unauthorized' } };
    await expect(pull([denied, whole], { removable: ['one'], notices })).rejects.toMatchObject({
      code: 'IMAGE_UNAVAILABLE',
    });
    expect(notices).toHaveLength(1);
  });
});
