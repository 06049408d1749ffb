// What is said of a pull: lines while it goes forward, none while nothing comes, since a run that waits for it counts as silent
// then.
import Docker from 'dockerode';
import { describe, expect, it } from 'vitest';
import { ensureImage } from '../../../launcher/executors/docker-image.js';
import { startRecordedEngine, type Answer } from '../../support/recorded-engine.js';

const image = 'registry.example/runner:1';

const layer = (status: string, current?: number) => ({
  status,
  id: 'a1',
  progressDetail: { ...(current === undefined ? {} : { current }), total: 80_000_000 },
});

/** Pulls from an engine that has nothing and answers with these events; ten seconds pass between two of them. */
async function pull(pulling: Answer, signal = new AbortController().signal) {
  const { socketPath } = await startRecordedEngine((asked) =>
    asked === 'POST /images/create' ? pulling : undefined,
  );
  const notices: string[] = [];
  let now = 0;
  await ensureImage(new Docker({ socketPath }), {
    image,
    configDirectory: null,
    environment: {},
    pulled: {
      add: () => Promise.resolve(),
      used: () => Promise.resolve(),
      remove: () => Promise.resolve([]),
    },
    onNotice: (line) => notices.push(line),
    signal,
    now: () => (now += 10_000),
  });
  return notices;
}

describe('a pull', () => {
  it('is told of while it goes forward', async () => {
    const notices = await pull({
      body: [
        { status: 'Pulling from runner', id: '1' },
        layer('Downloading', 20_000_000),
        layer('Downloading', 60_000_000),
        layer('Extracting', 10_000_000),
        { status: 'Pull complete', id: 'a1', progressDetail: {} },
      ],
    });
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
    const notices = await pull({
      body: [
        ...hung,
        layer('Waiting'),
        ...[3, 2, 1].map((seconds) => layer(`Retrying in ${String(seconds)} seconds`)),
        ...Array.from({ length: 30 }, () => layer('Downloading')),
      ],
    });
    expect(notices.slice(1)).toEqual(['  20 of 80 MB in 1 layers', '  20 of 80 MB in 1 layers']);
  });

  it('that hangs ends with its run', async () => {
    const stop = new AbortController();
    setTimeout(() => {
      stop.abort(new Error('the run has ended'));
    }, 50);
    await expect(pull({ body: [layer('Downloading', 1)], hangs: true }, stop.signal)).rejects.toThrow(
      'the run has ended',
    );
  });
});
