// Third-party emulators of the clouds' object stores, each a process of the test's own.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { until } from '../launcher/support/until.js';
import { freePort } from './postgres.js';
import { available } from './skips.js';

const tools = fileURLToPath(new URL('../../.tools', import.meta.url));

const programs = {
  moto: join(tools, 'venv/bin/moto_server'),
  azurite: join(tools, 'azurite/node_modules/.bin/azurite-blob'),
  gcs: join(tools, 'venv/bin/gcp-storage-emulator'),
} as const;
export type Emulator = keyof typeof programs;

export const hasEmulator = (emulator: Emulator, what: string) =>
  available(what, existsSync(programs[emulator]), `no ${emulator} (npm run test:tools brings it)`);

export interface RunningEmulator {
  /** `http://127.0.0.1:<port>`. */
  readonly url: string;
  close(): Promise<void>;
}

export async function startEmulator(emulator: Emulator): Promise<RunningEmulator> {
  const port = await freePort();
  const folder = await mkdtemp(join(tmpdir(), `poolwright-${emulator}-`));
  const child = spawn(programs[emulator], argumentsOf(emulator, String(port), folder), {
    stdio: ['ignore', 'pipe', 'pipe'],
    cwd: folder,
  });
  let said = '';
  for (const stream of [child.stdout, child.stderr])
    stream.setEncoding('utf8').on('data', (text: string) => (said = (said + text).slice(-5000)));
  await until(() => answers(port), `${emulator} to listen; it said ${said}`, 60_000);
  return {
    url: `http://127.0.0.1:${String(port)}`,
    async close() {
      if (child.exitCode === null && child.signalCode === null) {
        const gone = once(child, 'close');
        child.kill('SIGKILL');
        await gone;
      }
      await rm(folder, { recursive: true, force: true });
    },
  };
}

function argumentsOf(emulator: Emulator, port: string, folder: string): string[] {
  switch (emulator) {
    case 'moto':
      return ['-H', '127.0.0.1', '-p', port];
    case 'azurite':
      return [
        '--blobHost',
        '127.0.0.1',
        '--blobPort',
        port,
        '--location',
        folder,
        '--silent',
        '--skipApiVersionCheck',
      ];
    case 'gcs':
      return ['start', '--host=127.0.0.1', `--port=${port}`, '--in-memory', '--default-bucket=poolwright'];
  }
}

export function answers(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1');
    socket.once('connect', () => {
      socket.destroy();
      resolve(true);
    });
    socket.once('error', () => {
      resolve(false);
    });
  });
}
