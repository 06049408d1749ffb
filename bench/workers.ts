// Memory per connected idle worker in the control plane, beside a bare connection at the broker library.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { generateRequestFor } from './support/certificates.js';
import { figure, type Figure } from './figure.js';
import { startBareSessions } from './support/bare-sessions.js';
import { startCrowd } from './support/crowd-process.js';
import { startPlane } from './support/plane.js';
import { ended, memoryOf } from './support/server.js';

/** Those that are there first take what the process has to spare; the memory of those that follow is counted. */
const first = 400;
const counted = 800;

export async function bench(): Promise<Figure[]> {
  const ours: number[] = [];
  const bare: number[] = [];
  for (let round = 0; round < 3; round += 1) {
    ours.push(await perWorker());
    bare.push(await perConnection());
  }
  return [
    figure({
      name: 'workers',
      unit: 'kB',
      samples: ours,
      reference: { what: 'bare aedes TLS connection', samples: bare },
      goal: { of: 'ratio', atMost: 1.3 },
      note: `resident memory that ${String(counted)} more idle connections add to ${String(first)}, each`,
    }),
  ];
}

async function perWorker(): Promise<number> {
  const plane = await startPlane();
  try {
    const crowds = [await startCrowd(plane, first)];
    await settle();
    const before = await plane.memory();
    crowds.push(await startCrowd(plane, counted));
    await settle();
    const after = await plane.memory();
    for (const crowd of crowds) await crowd.close();
    return (after - before) / counted / 1000;
  } finally {
    await plane.close();
  }
}

async function perConnection(): Promise<number> {
  const { server, client } = await generateRequestFor();
  const broker = spawn(
    process.execPath,
    [fileURLToPath(new URL('support/bare-broker.js', import.meta.url))],
    {
      env: {
        BROKER_CERTIFICATE: server.certificate,
        BROKER_KEY: server.privateKey,
        BROKER_AUTHORITY: server.authority,
      },
      stdio: ['ignore', 'pipe', 'inherit'],
    },
  );
  try {
    const [line] = (await once(broker.stdout, 'data')) as [Buffer];
    const port = Number(line.toString());
    const closers = [await startBareSessions(port, client, first)];
    await settle();
    const before = await memoryOf(broker.pid);
    closers.push(await startBareSessions(port, client, counted));
    await settle();
    const after = await memoryOf(broker.pid);
    for (const close of closers) close();
    return (after - before) / counted / 1000;
  } finally {
    await ended(broker, 'SIGKILL');
  }
}

/** What was only needed on the way is collected. */
function settle(): Promise<void> {
  return new Promise((done) => setTimeout(done, 12_000));
}
