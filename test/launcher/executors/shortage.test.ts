// After an image that there was no room for a worker takes no run, and not for ever.
import { expect, it } from 'vitest';
import { PoolwrightError } from '../../../protocol/errors.js';
import { createShortage, shortage } from '../../../launcher/executors/shortage.js';
import { manualClock } from '../support/manual-clock.js';

const fault = new PoolwrightError('DISK_FULL', 'The image cannot be pulled: no space left on device.');

function met(start: number | undefined) {
  const clock = manualClock();
  const disk = { left: start };
  return { clock, disk, ...createShortage(clock, () => Promise.resolve(disk.left)) };
}

it('is none before it is met', async () => {
  await met(0).check();
});

it('holds until there is more room, and is forgotten then', async () => {
  const { disk, note, check } = met(1e9);
  await note(fault);
  await expect(check()).rejects.toMatchObject({
    code: 'DISK_FULL',
    message:
      'The image cannot be pulled: no space left on device. No run is taken before there are 512 MB more, or 5 minutes have passed.',
  });
  disk.left = 1e9 + shortage.room - 1;
  await expect(check()).rejects.toMatchObject({ code: 'DISK_FULL' });
  disk.left = 1e9 + shortage.room;
  await check();
  disk.left = 0;
  await check();
});

it('holds for some time where nobody sees how much room there is, or the engine is away', async () => {
  for (const free of [() => Promise.resolve(undefined), () => Promise.reject(new Error('away'))]) {
    const clock = manualClock();
    const { note, check } = createShortage(clock, free);
    await note(fault);
    clock.advance(shortage.time - 1);
    await expect(check()).rejects.toBeInstanceOf(Error);
    clock.advance(1);
    await check();
  }
});
