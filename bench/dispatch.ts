// From an accepted trigger to the assignment at the launcher, with 1 and with 1,001 connected workers. The worker is
// the launcher's own connection, signature check included; the others are simulated sessions in another process.
import { triggerRun, decideRun } from '../control-plane/cli/api/runs.js';
import { listWorkers, setDrained } from '../control-plane/cli/api/workers.js';
import { figure, quantile, type Figure } from './figure.js';
import { startCrowd } from './support/crowd-process.js';
import { startLine } from './support/line.js';
import { startPlane, type Plane } from './support/plane.js';

const runs = 200;
export async function bench(): Promise<Figure[]> {
  const plane = await startPlane();
  try {
    const alone = await measure(plane);
    const crowd = await startCrowd(plane, 1000);
    // They stay connected and report; drained, so that each run goes to the launcher.
    for (const { id, drained } of await listWorkers(plane.client, plane.pool)) {
      if (!drained) await setDrained(plane.client, plane.pool, id, true);
    }
    const amongMany = await measure(plane);
    await crowd.close();
    return [...figures('1 worker', alone), ...figures('1,001 workers', amongMany)];
  } finally {
    await plane.close();
  }
}

function figures(what: string, samples: readonly number[]): Figure[] {
  const p99 = quantile(samples, 0.99);
  return [
    figure({ name: `dispatch p50, ${what}`, unit: 'ms', samples, goal: { of: 'value', atMost: 5 } }),
    {
      ...figure({
        name: `dispatch p99, ${what}`,
        unit: 'ms',
        samples: [p99],
        goal: { of: 'value', atMost: 25 },
      }),
    },
  ];
}

/** Milliseconds from the answer to the trigger until the launcher has the assignment, verified and parsed. */
async function measure(plane: Plane): Promise<number[]> {
  const line = await startLine(plane);
  const stack = await plane.stack({});
  const samples: number[] = [];
  for (let run = 0; run < runs; run += 1) {
    const assignment = line.assigned();
    const { id } = await triggerRun(plane.client, { stack, runType: 'PROPOSED' });
    const accepted = performance.now();
    // It may be here before the answer to the trigger is.
    samples.push(Math.max(0, (await assignment).at - accepted));
    await decideRun(plane.client, 'cancel', stack, id);
    await line.report();
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  await line.end();
  return samples;
}
