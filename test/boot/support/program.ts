// Programs that suites start: an emulator of a cloud's service, on a port of its own, until the suite is done.
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { createServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import { until } from '../../launcher/support/until.js';

export interface Program {
  readonly port: number;
  close(): Promise<void>;
}

/** A port of this host that nobody listens on. */
export async function freePort(): Promise<number> {
  const server = createServer().listen(0);
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return port;
}

/** Starts it and waits until `answers`; fails with what it printed. */
export async function startProgram(
  command: string,
  args: (port: number) => readonly string[],
  environment: Readonly<Record<string, string>>,
  answers: (port: number) => Promise<boolean>,
): Promise<Program> {
  const port = await freePort();
  const child: ChildProcess = spawn(command, args(port), {
    env: { ...process.env, ...environment },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let output = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream?.setEncoding('utf8').on('data', (text: string) => (output = (output + text).slice(-10_000)));
  }
  const ended = once(child, 'close');
  const close = async () => {
    child.kill('SIGKILL');
    await ended;
  };
  try {
    await until(() => answers(port).catch(() => false), `${command} to answer`, 90_000);
  } catch (error) {
    await close();
    throw new Error(`${String(error)}; it printed ${output}`, { cause: error });
  }
  return { port, close };
}
