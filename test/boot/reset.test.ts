// A machine whose power is taken away while it boots: it is a worker in the end all the same.
import { describe, expect, it } from 'vitest';
import { until } from '../launcher/support/until.js';
import { canBoot, scene } from './support/scene.js';

const possible = canBoot('resets of booting machines');

describe.runIf(possible)('a machine that is reset', () => {
  it('while user data installs, and in each step of its boot, is a worker in the end', async () => {
    const all = await scene('aws', { cloudInit: true });
    const { machine } = all;
    let seen = 0;
    const reset = async () => {
      seen = (await machine.console()).length;
      await machine.reset();
      await machine.start();
    };
    const now = async () => (await machine.console()).slice(seen);

    await all.boot();
    await until(
      async () => (await machine.exec('ls /opt/poolwright 2>/dev/null || true')) !== '',
      'the first file of user data',
      120_000,
    );
    await reset();
    for (const step of ['1/7', '3/7', '5/7', '7/7']) {
      const line = `poolwright: step ${step}`;
      try {
        await until(async () => (await now()).includes(line), line, 120_000);
      } catch (error) {
        throw new Error(`${String(error)}\n${await now()}`, { cause: error });
      }
      await reset();
    }
    await all.idle();
    const mark = await machine.exec('ls -d /opt/poolwright/booted-*');
    expect(mark).toMatch(/^\/opt\/poolwright\/booted-[0-9a-f]{16}\n$/);
    expect(await machine.exec('find /opt/poolwright /etc -name "*.new"')).toBe('');

    // Once it has succeeded, the boot is not done again: the worker of the next start comes by its own unit.
    const [first] = await all.plane.workers();
    await reset();
    await until(
      async () => (await all.plane.workers()).some(({ id, status }) => id !== first!.id && status === 'IDLE'),
      'another worker',
      90_000,
    );
    expect(await now()).not.toContain('poolwright: step');
  }, 400_000);
});
