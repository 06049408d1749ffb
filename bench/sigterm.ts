// How soon an idle launcher is gone after SIGTERM: it says goodbye, closes its line and leaves nothing behind.
import { elapsed } from './clock.js';
import { figure, type Figure } from './figure.js';
import { startPlane } from './support/plane.js';
import { ended } from './support/server.js';

const rounds = 9;

export async function bench(): Promise<Figure[]> {
  const plane = await startPlane();
  try {
    const samples: number[] = [];
    for (let round = 0; round < rounds; round += 1) {
      const launcher = await plane.startLauncher({ POOLWRIGHT_EXECUTOR: 'host' });
      launcher.stdout?.resume();
      await plane.idle(1);
      samples.push(await elapsed(() => ended(launcher, 'SIGTERM')));
    }
    return [
      figure({
        name: 'SIGTERM of an idle launcher → gone',
        unit: 'ms',
        samples,
        goal: { of: 'value', atMost: 200 },
      }),
    ];
  } finally {
    await plane.close();
  }
}
