// An engine that ends between what it did and what it says: nothing that it made is left.
import { describe, expect, it } from 'vitest';
import { hasRunnerImage } from '../../support/runner-image.js';
import { openDisturbed } from './support/containers.js';

describe.skipIf(!hasRunnerImage('an engine whose answer is lost'))(
  'a container whose making is not answered',
  () => {
    it('is removed once the engine is there again', async () => {
      const { engine, executor, request, containers } = await openDisturbed();
      engine.loseAnswerTo('/containers/create');
      await expect(executor.open(request)).rejects.toMatchObject({ code: 'ENGINE_UNAVAILABLE' });
      expect(containers()).not.toBe('');
      await engine.back();
      // As the launcher asks now and then whether it can take runs.
      await executor.check();
      expect(containers()).toBe('');
    });
  },
);
