// Whether there is room for a run: where the launcher has its state, and where images and containers are.
import { generateKeyPairSync } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import type { Assignment } from '../../../protocol/messages.js';
import { attemptDependencies, type AttemptParts } from '../../../launcher/attempt-parts.js';
import { makeRoom, room } from '../../../launcher/run/room.js';
import { recordedLog } from '../support/log.js';

/** `disks`: bytes that are free for each folder; each image that goes leaves `image` of them to the engine's. */
async function looked(disks: Record<string, number>, { stores = ['/engine'], images = 3, image = 0 } = {}) {
  const free = { ...disks };
  let removed = 0;
  const log = recordedLog();
  const executor = {
    stores: () => Promise.resolve(stores),
    async makeRoom(enough: () => Promise<boolean>) {
      const names: string[] = [];
      while (removed < images && !(await enough())) {
        removed += 1;
        names.push(`image ${String(removed)}`);
        for (const store of stores) free[store] = (free[store] ?? 0) + image;
      }
      return names;
    },
  };
  const fault = await makeRoom('/state', executor, log, (folder) =>
    Promise.resolve(free[folder] ?? NaN),
  ).then(
    () => null,
    (error: unknown) => error as Error,
  );
  return { removed, fault, lines: log.lines.map(({ message }) => message) };
}

const plenty = 10 * room.wanted;

describe('room for a run', () => {
  it('is there on both disks', async () => {
    expect(await looked({ '/state': plenty, '/engine': plenty })).toEqual({
      removed: 0,
      fault: null,
      lines: [],
    });
  });

  it('is made where the engine keeps images, and by no more of them than it takes', async () => {
    const { removed, fault, lines } = await looked(
      { '/state': plenty, '/engine': room.wanted - 1 },
      { image: 1 },
    );
    expect({ removed, fault }).toEqual({ removed: 1, fault: null });
    expect(lines).toEqual(['The disk is nearly full; removed images: image 1']);
  });

  it('is not made by images on another disk', async () => {
    const { removed, fault } = await looked({ '/state': room.needed - 1, '/engine': plenty });
    expect(removed).toBe(0);
    expect(fault).toMatchObject({ code: 'DISK_FULL', message: expect.stringContaining('/state') as string });
  });

  it('is missing when the disk of the engine is full, and which that is is told', async () => {
    const { removed, fault } = await looked({ '/state': plenty, '/engine': 1024 ** 2 });
    expect(removed).toBe(3);
    expect(fault).toMatchObject({
      code: 'DISK_FULL',
      message:
        'The worker has 1 MB left for /engine, and takes no run with less than 128 MB. Make room on its disk, or take a larger one.',
    });
  });

  it('is made for the state folder where nobody sees the disk of the engine', async () => {
    const { removed, fault } = await looked({ '/state': room.wanted - 1 }, { stores: [] });
    expect({ removed, fault }).toEqual({ removed: 3, fault: null });
  });

  it('is looked for by every attempt', async () => {
    const { privateKey } = generateKeyPairSync('ed25519');
    const parts = {
      settings: { token: {}, metadata: {}, privateKey },
      life: { id: 'life', folder: '/' },
      executor: { kind: 'docker', stores: () => Promise.reject(new Error('asked for its folders')) },
      policy: null,
      log: recordedLog(),
    } as unknown as AttemptParts;
    const { makeRoom: ofAttempt } = attemptDependencies(parts, {} as Assignment, () => undefined);
    await expect(ofAttempt?.()).rejects.toThrow('asked for its folders');
  });
});
