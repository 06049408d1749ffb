// A process that holds many simulated workers, so that they do not disturb who measures. Its environment says
// whose; it prints a line when all are registered, and another for each run that one of them finishes.
import { decodeToken } from '../../protocol/token.js';
import { startSimulatedWorker } from './simulated-worker.js';

const { CROWD_TOKEN = '', CROWD_KEY = '', CROWD_COUNT = '0' } = process.env;
const token = decodeToken(CROWD_TOKEN);
const triesAtMost = 10;
let left = Number(CROWD_COUNT);

/** Tries again, as a launcher does: a control plane that many workers come to at once refuses some. */
async function connected(): Promise<void> {
  for (let tries = 1; ; tries += 1) {
    try {
      await startSimulatedWorker({
        token,
        privateKey: CROWD_KEY,
        onAssignment: () => 'play',
        onFinished: (run) => process.stdout.write(`finished ${run}\n`),
      });
      return;
    } catch (error) {
      if (tries === triesAtMost) throw error;
      await new Promise((resolve) => setTimeout(resolve, 500 * tries * Math.random()));
    }
  }
}

async function connectSome(): Promise<void> {
  while (left > 0) {
    left -= 1;
    await connected();
  }
}

await Promise.all(Array.from({ length: 8 }, connectSome));
process.stdout.write('ready\n');
