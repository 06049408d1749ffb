// Networks that let nothing through but the API's address: MQTT over WebSocket, with and without TLS that ends before the
// control plane.
import { connect, type AddressInfo } from 'node:net';
import { createServer, type Server } from 'node:tls';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ulid } from 'ulid';
import { connect as connectMqtt } from 'mqtt';
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import WebSocket from 'ws';
import { nextFreePort } from '../../../control-plane/local/ports.js';
import { serve } from '../../../control-plane/serve.js';
import { createAuthority, issueServerCertificate } from '../../../protocol/certificates.js';
import { decodeToken, encodeToken, type PoolToken } from '../../../protocol/token.js';
import { aroundControlPlane, type TestPlane } from '../../support/control-plane.js';
import { startHttpProxy, type HttpProxy } from '../support/http-proxy.js';
import { until } from '../support/until.js';

let at: string;
let plane: TestPlane;
let proxy: HttpProxy;
let front: Server;
let frontPort: number;
let apiPort: number;
let brokerPort: number;

/** A control plane whose address in tokens is one where TLS ends, and whose broker's own port cannot be reached. */
beforeAll(async () => {
  at = await mkdtemp(join(tmpdir(), 'poolwright-websocket-'));
  const now = Date.now();
  const authority = await createAuthority({ now });
  const { certificate, privateKey } = await issueServerCertificate({ authority, hosts: ['api.test'], now });
  await writeFile(join(at, 'ca.pem'), authority.certificate);
  front = createServer({ cert: certificate, key: privateKey }, (inbound) => {
    const outbound = connect(apiPort, '127.0.0.1');
    inbound.pipe(outbound).pipe(inbound);
    inbound.on('error', () => outbound.destroy()).on('close', () => outbound.destroy());
    outbound.on('error', () => inbound.destroy()).on('close', () => inbound.destroy());
  });
  await new Promise<void>((resolve) => front.listen(0, '127.0.0.1', resolve));
  frontPort = (front.address() as AddressInfo).port;
  const start = 30_000 + Math.floor(Math.random() * 10_000);
  apiPort = await nextFreePort('127.0.0.1', start);
  brokerPort = await nextFreePort('127.0.0.1', start + 500);
  const controlPlane = await serve({
    dataDirectory: join(at, 'data'),
    listen: { host: '127.0.0.1', port: apiPort },
    brokerListen: { host: '127.0.0.1', port: brokerPort },
    brokerEndpoint: { host: '127.0.0.1', port: 1 },
    publicUrl: `https://api.test:${String(frontPort)}`,
  });
  plane = await aroundControlPlane(at, { ...controlPlane, apiUrl: `http://127.0.0.1:${String(apiPort)}` });
  proxy = await startHttpProxy('me:secret');
});
afterAll(async () => {
  await plane.close();
  await proxy.close();
  await new Promise((resolve) => front.close(resolve));
  await rm(at, { recursive: true });
});

/** The pool's token with other ways to the control plane. */
function tokenWith(broker: Partial<PoolToken['broker']>): string {
  const token = decodeToken(plane.token);
  return encodeToken({ ...token, broker: { ...token.broker, ...broker } });
}

const direct = () => ({ webSocket: `ws://127.0.0.1:${String(apiPort)}/worker/v1/mqtt` });

/** Starts a launcher, looks where it registers, and gives what it said. */
async function registers(environment: Readonly<Record<string, string>>): Promise<string> {
  const launcher = await plane.startLauncher(environment);
  onTestFinished(async () => {
    launcher.process.kill('SIGKILL');
    await launcher.ended;
  });
  await until(
    () => launcher.output().includes('Registered at '),
    `registration: ${launcher.output()}`,
    20_000,
  );
  return launcher.output();
}

describe('a launcher that reaches only the API', () => {
  test('registers over a WebSocket', async () => {
    const said = await registers({ SPACELIFT_TOKEN: tokenWith(direct()) });
    expect(said).toContain(`Registered at ws://127.0.0.1:${String(apiPort)}/worker/v1/mqtt`);
  });

  test('does so behind a proxy, to an address where TLS ends before the control plane, and runs a run', async () => {
    const said = await registers({
      HTTPS_PROXY: `http://me:secret@127.0.0.1:${String(proxy.port)}`,
      NODE_EXTRA_CA_CERTS: join(at, 'ca.pem'),
    });
    expect(said).toContain(`Registered at wss://api.test:${String(frontPort)}/worker/v1/mqtt`);
    const { stack, run } = await plane.triggerRun({}, { task: 'echo done' });
    expect((await plane.reached(stack, run, 'FINISHED', 'FAILED')).failure).toBeNull();
    expect(new Set(proxy.asked)).toEqual(new Set([`CONNECT api.test:${String(frontPort)}`]));
  });

  test('is told why when something there opens no WebSocket', async () => {
    const launcher = await plane.startLauncher({
      SPACELIFT_TOKEN: tokenWith({ webSocket: `ws://127.0.0.1:${String(apiPort)}/elsewhere` }),
    });
    await until(
      () => launcher.output().includes('does not open a WebSocket (HTTP status 404)'),
      'a reason',
      20_000,
    );
    launcher.process.kill('SIGKILL');
  });
});

describe('a launcher that reaches both', () => {
  test('registers once, at the broker', async () => {
    const endpoint = `ssl://127.0.0.1:${String(brokerPort)}`;
    const before = (await plane.workers()).map(({ id }) => id);
    const said = await registers({ SPACELIFT_TOKEN: tokenWith({ endpoint, ...direct() }) });
    expect(said.match(/Registered at \S+/g)).toEqual([`Registered at ${endpoint}`]);
    expect((await plane.workers()).filter(({ id }) => !before.includes(id))).toHaveLength(1);
  });
});

describe('the WebSocket at the API', () => {
  const login = { username: Buffer.from('x').toString('base64'), password: 'x' };

  test.each([{}, login])('refuses who does not sign its challenge: %j', async (options) => {
    const client = connectMqtt(direct().webSocket, {
      clientId: ulid(),
      protocolVersion: 4,
      reconnectPeriod: 0,
      connectTimeout: 5_000,
      ...options,
    });
    let connected = false;
    client.on('connect', () => (connected = true));
    client.on('error', () => undefined); // 'close' follows.
    await new Promise<void>((resolve) => {
      client.once('close', () => {
        resolve();
      });
    });
    expect(connected).toBe(false);
    await client.endAsync(true);
  });

  test('is at one path only', async () => {
    const refused = await new Promise<string>((resolve) => {
      new WebSocket(`ws://127.0.0.1:${String(apiPort)}/graphql`, 'mqtt').once('error', (error) => {
        resolve(error.message);
      });
    });
    expect(refused).toContain('404');
  });
});
