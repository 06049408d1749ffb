// Launchers as real processes that are started again, on lines of which one lets nothing through.
import { connect, createServer, type AddressInfo } from 'node:net';
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { openRouteMemory } from '../../../launcher/connection/route-memory.js';
import { decodeToken, encodeToken } from '../../../protocol/token.js';
import { startControlPlane, type TestPlane } from '../../support/control-plane.js';
import { recordedLog } from '../support/log.js';
import { until } from '../support/until.js';

interface Gate {
  readonly port: number;
  /** Connections are taken and nothing comes through, as behind a firewall. */
  blocked: boolean;
  close(): void;
}

/** Everybody who came to a gate, in order. */
let came: ('broker' | 'websocket')[] = [];

async function startGate(name: 'broker' | 'websocket', target: number): Promise<Gate> {
  const server = createServer((inbound) => {
    came.push(name);
    inbound.on('error', () => undefined); // The end of it is told below.
    if (gate.blocked) return;
    const outbound = connect(target, '127.0.0.1');
    outbound.on('error', () => inbound.destroy()).on('close', () => inbound.destroy());
    inbound.on('close', () => outbound.destroy());
    inbound.pipe(outbound).pipe(inbound);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  const gate = { port, blocked: false, close: () => server.close() };
  return gate;
}

let folder: string;
let plane: TestPlane;
let broker: Gate;
let api: Gate;
let token: string;
const addresses = { broker: '', webSocket: '' };
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'poolwright-route-'));
  plane = await startControlPlane(folder);
  const plain = decodeToken(plane.token);
  broker = await startGate('broker', Number(new URL(plain.broker.endpoint).port));
  api = await startGate('websocket', Number(new URL(plane.url).port));
  addresses.broker = `ssl://127.0.0.1:${String(broker.port)}`;
  addresses.webSocket = `ws://127.0.0.1:${String(api.port)}/worker/v1/mqtt`;
  token = encodeToken({
    ...plain,
    broker: { ...plain.broker, endpoint: addresses.broker, webSocket: addresses.webSocket },
  });
});
afterAll(async () => {
  await plane.close();
  broker.close();
  api.close();
  await rm(folder, { recursive: true, force: true });
});

const hint = (state: string) => readFile(join(state, `route.${plane.pool}`), 'utf8');

/** Starts a launcher, waits until it has registered at the address and noted that, and ends it. */
async function registersAt(address: string, state: string): Promise<void> {
  came = [];
  const launcher = await plane.startLauncher({ SPACELIFT_TOKEN: token, POOLWRIGHT_STATE_DIR: state });
  await until(
    () => launcher.output().includes(`Registered at ${address}`),
    `registration at ${address}`,
    30_000,
  ).catch((error: unknown) => {
    throw new Error(`${String(error)}; it said ${launcher.output()}`);
  });
  launcher.process.kill('SIGTERM');
  expect(await launcher.ended).toBe(0);
  expect(await hint(state)).toBe(`${address}\n`);
  // Neither a life nor half a file is left.
  expect(await readdir(state)).toEqual([`route.${plane.pool}`]);
}

test('the way that worked comes first after a start, and only as long as it works', async () => {
  const state = join(folder, 'state');
  await mkdir(state);
  broker.blocked = true;
  await registersAt(addresses.webSocket, state);
  expect(came).toEqual(['broker', 'websocket']);
  await registersAt(addresses.webSocket, state);
  expect(came[0]).toBe('websocket');
  // It lets nothing through any more: the other one is found as before.
  broker.blocked = false;
  api.blocked = true;
  await registersAt(addresses.broker, state);
  expect(came).toEqual(['websocket', 'broker']);
  await registersAt(addresses.broker, state);
  expect(came[0]).toBe('broker');
}, 120_000);

test('what was noted may be anything, and a folder that takes no file keeps nobody from working', async () => {
  const state = join(folder, 'spoiled');
  await mkdir(join(state, `route.${plane.pool}`), { recursive: true });
  const log = recordedLog();
  const options = { folder: state, pool: plane.pool, worker: 'a', log };
  const memory = await openRouteMemory(options);
  expect(memory.address).toBeNull();
  memory.worked('ssl://broker.test:8883');
  await memory.settled();
  expect(log.lines.map(({ message }) => message)).toEqual([
    expect.stringContaining('The way to the control plane cannot be noted'),
  ]);
  expect(await readdir(state)).toEqual([`route.${plane.pool}`]);
  for (const text of ['', 'two words\n', 'ssl://cut.off', `ssl://${'a'.repeat(5000)}\n`]) {
    await rm(join(state, `route.${plane.pool}`), { recursive: true });
    await writeFile(join(state, `route.${plane.pool}`), text);
    expect((await openRouteMemory(options)).address).toBeNull();
  }
});
