// Log megabytes per second from a container to the store with ten masks, beside `docker logs` to a file.
import { execFileSync } from 'node:child_process';
import { openSync, closeSync } from 'node:fs';
import { join } from 'node:path';
import { getRun, triggerRun } from '../control-plane/cli/api/runs.js';
import { setVariable } from '../control-plane/cli/api/variables.js';
import type { Bench } from './main.js';
import { elapsed, inTurn } from './clock.js';
import { figure } from './figure.js';
import { startPlane } from './support/plane.js';
import { poll } from './support/server.js';
import { noImage, runnerImage } from './support/runner-image.js';

const megabytes = 200;
const line = 'module.network.aws_subnet.private[3]: Refreshing state... [id=subnet-0a1b2c3d4e5f60718]';
const script = `yes '${line}' | head -c ${String(megabytes * 1e6)}`;

export const bench: Bench = async () => {
  const image = runnerImage();
  if (image === undefined) return noImage;
  const plane = await startPlane();
  try {
    await plane.startLauncher({ SPACELIFT_DEFAULT_RUNNER_IMAGE: image });
    await plane.idle(1);
    const stack = await plane.stack({ planCommands: [script] });
    for (let number = 0; number < 10; number += 1) {
      const value = `secret-${String(number)}-${'x'.repeat(20)}`;
      await setVariable(plane.client, stack, { name: `SECRET_${String(number)}`, value, secret: true });
    }
    const ours = async () => {
      await plane.idle(1);
      const { id } = await triggerRun(plane.client, { stack, runType: 'PROPOSED' });
      const stateOf = async () => (await getRun(plane.client, stack, id)).state;
      await poll(async () => (await stateOf()) === 'PLANNING', 'the run to begin');
      const time = await elapsed(() =>
        poll(async () => (await stateOf()) === 'FINISHED', 'the run to finish', 120_000),
      );
      return megabytes / (time / 1000);
    };
    const bare = async () => {
      const name = `poolwright-bench-${String(process.pid)}`;
      const file = openSync(join(plane.folder, 'docker-logs'), 'w');
      try {
        // From the container's start, as ours: what it prints goes through the engine's log to the file.
        const time = await elapsed(() => {
          execFileSync(
            'docker',
            ['run', '-d', '--name', name, '--entrypoint', '/bin/sh', image, '-c', script],
            { stdio: 'ignore' },
          );
          execFileSync('docker', ['logs', '-f', name], { stdio: ['ignore', file, 'ignore'] });
        });
        return megabytes / (time / 1000);
      } finally {
        closeSync(file);
        execFileSync('docker', ['rm', '-f', name], { stdio: 'ignore' });
      }
    };
    const samples = await inTurn(3, ours, bare);
    return [
      figure({
        name: 'logs',
        unit: 'MB/s',
        samples: samples.ours,
        reference: { what: 'docker logs to a file', samples: samples.reference },
        goal: { of: 'ratio', atLeast: 0.5 },
      }),
    ];
  } finally {
    await plane.close();
  }
};
