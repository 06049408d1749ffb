// Memory per connected idle worker in the control plane, beside a bare connection at the broker library.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { generateRequestFor } from './support/certificates.js';
import { figure, type Figure } from './figure.js';
import { startBareSessions } from './support/bare-sessions.js';
import { startCrowd } from './support/crowd-process.js';
import { ended, memoryOf, startPlane } from './support/plane.js';

const count = 500;

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
      note: `resident memory that ${String(count)} idle connections add, each`,
    }),
  ];
}

async function perWorker(): Promise<number> {
  const plane = await startPlane();
  try {
    await settle();
    const before = await plane.memory();
    const crowd = await startCrowd(plane, count);
    await settle();
    const after = await plane.memory();
    await crowd.close();
    return (after - before) / count / 1000;
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
    await settle();
    const before = await memoryOf(broker.pid);
    const close = await startBareSessions(Number(line.toString()), client, count);
    await settle();
    const after = await memoryOf(broker.pid);
    close();
    return (after - before) / count / 1000;
  } finally {
    await ended(broker, 'SIGKILL');
  }
}

/** What was only needed on the way is collected. */
function settle(): Promise<void> {
  return new Promise((done) => setTimeout(done, 4000));
}
