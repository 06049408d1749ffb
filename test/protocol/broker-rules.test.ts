// The access rules in docs/protocol.md, tried on a real broker: a pool's certificate opens its own pool and no other, and
// in it what is of the client's own id.
import { spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { connectAsync, type MqttClient } from 'mqtt';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import {
  createAuthority,
  issuePoolCertificate,
  issueServerCertificate,
} from '../../protocol/certificates.js';
import type { Authority } from '../../protocol/certificates.js';
import { allUpTopics, downTopic, upTopic } from '../../protocol/topics.js';
import { clientIdentity, keyAndRequest, rsaSha256 } from './support/fixtures.js';
import { block, readDocument } from './support/markdown.js';
import { ulid } from './support/messages.js';

interface Identity {
  readonly certificate: string;
  readonly privateKey: string;
}

const mosquitto = ['mosquitto', '/usr/sbin/mosquitto'].find(
  (path) => spawnSync(path, ['-h']).error === undefined,
);
if (mosquitto === undefined) {
  process.stdout.write(
    'skipped: access rules on a broker, because there is no mosquitto (npm run test:tools brings it)\n',
  );
}

const [poolA, poolB, workerA, workerB] = [ulid(1), ulid(2), ulid(3), ulid(4)];

describe.skipIf(mosquitto === undefined)('a broker with the documented access rules', () => {
  let folder: string;
  let broker: ChildProcess;
  let port: number;
  let authority: Authority;
  let controlPlane: Identity;
  let identityA: Identity;
  let identityB: Identity;
  const clients: MqttClient[] = [];

  beforeAll(async () => {
    const now = Date.now();
    authority = await createAuthority({ now });
    const server = await issueServerCertificate({ authority, hosts: ['localhost', '127.0.0.1'], now });
    controlPlane = await clientIdentity(authority, 'control-plane', now);
    identityA = await poolIdentity(authority, poolA, now);
    identityB = await poolIdentity(authority, poolB, now);
    folder = mkdtempSync(join(tmpdir(), 'poolwright-broker-'));
    port = await freePort();
    const page = readDocument('protocol.md');
    const files = {
      'authority.pem': authority.certificate,
      'broker.pem': server.certificate,
      'broker.key': server.privateKey,
      'broker.acl': block(page, 'broker.acl'),
      'mosquitto.conf': block(page, 'mosquitto.conf')
        .replace('listener 8883', `user root\nlistener ${String(port)} 127.0.0.1`)
        .replaceAll(/^(cafile|certfile|keyfile|acl_file) /gm, `$1 ${folder}/`),
    };
    for (const [name, content] of Object.entries(files)) writeFileSync(join(folder, name), content);
    broker = spawn(mosquitto ?? '', ['-c', join(folder, 'mosquitto.conf')], { stdio: 'ignore' });
    await connect(controlPlane, 'probe');
  });

  afterEach(async () => {
    await Promise.all(clients.splice(0).map((client) => client.endAsync(true)));
  });

  afterAll(async () => {
    const ended = new Promise((resolve) => broker.once('exit', resolve));
    broker.kill();
    await ended;
    rmSync(folder, { recursive: true, force: true });
  });

  it('carries messages between a worker and the control plane, both ways', async () => {
    const worker = await connect(identityA, workerA);
    const plane = await connect(controlPlane, 'control-plane');
    await worker.subscribeAsync(downTopic(poolA, workerA), { qos: 1 });
    await plane.subscribeAsync(allUpTopics, { qos: 1 });
    const [atWorker, atPlane] = [heard(worker), heard(plane)];
    await worker.publishAsync(upTopic(poolA, workerA), 'up', { qos: 1 });
    await plane.publishAsync(downTopic(poolA, workerA), 'down', { qos: 1 });
    await expect.poll(() => atPlane).toEqual([`${upTopic(poolA, workerA)} up`]);
    await expect.poll(() => atWorker).toEqual([`${downTopic(poolA, workerA)} down`]);
  });

  it('keeps the certificate of another pool from reading and writing', async () => {
    const worker = await connect(identityA, workerA);
    const stranger = await connect(identityB, workerB);
    const plane = await connect(controlPlane, 'control-plane');
    await worker.subscribeAsync(downTopic(poolA, workerA), { qos: 1 });
    await plane.subscribeAsync(allUpTopics, { qos: 1 });
    const [atWorker, atStranger, atPlane] = [heard(worker), heard(stranger), heard(plane)];
    // Brokers differ in whether they refuse a subscription or grant it and deliver nothing.
    for (const topic of [
      downTopic(poolA, workerA),
      `poolwright/v1/${poolA}/#`,
      'poolwright/#',
      '#',
      allUpTopics,
    ]) {
      await stranger.subscribeAsync(topic, { qos: 1 }).catch(() => undefined);
    }
    await stranger.publishAsync(downTopic(poolA, workerA), 'forged order', { qos: 1 });
    await stranger.publishAsync(upTopic(poolA, workerA), 'forged report', { qos: 1 });
    await plane.publishAsync(downTopic(poolA, workerA), 'order', { qos: 1 });
    await worker.publishAsync(upTopic(poolA, workerA), 'report', { qos: 1 });
    await stranger.publishAsync(upTopic(poolB, workerB), 'own report', { qos: 1 });
    await expect.poll(() => atPlane.length).toBe(2);
    await expect.poll(() => atWorker.length).toBe(1);
    expect(atPlane.sort()).toEqual(
      [`${upTopic(poolA, workerA)} report`, `${upTopic(poolB, workerB)} own report`].sort(),
    );
    expect(atWorker).toEqual([`${downTopic(poolA, workerA)} order`]);
    expect(atStranger).toEqual([]);
  });

  it('keeps a worker from reading and writing as another one of its own pool', async () => {
    const worker = await connect(identityA, workerA);
    // With `+` or `#` in its place, the id would make a rule for all of it.
    const ids = [workerB, '+', '#', `${workerA}/#`];
    const others = await Promise.all(ids.map((id) => connect(identityA, id)));
    const plane = await connect(controlPlane, 'control-plane');
    await worker.subscribeAsync(downTopic(poolA, workerA), { qos: 1 });
    await plane.subscribeAsync(allUpTopics, { qos: 1 });
    const [atWorker, atPlane, ...atOthers] = [worker, plane, ...others].map(heard);
    for (const other of others) {
      for (const topic of [
        downTopic(poolA, workerA),
        `poolwright/v1/${poolA}/down/+`,
        `poolwright/v1/${poolA}/#`,
        '#',
      ])
        await other.subscribeAsync(topic, { qos: 1 }).catch(() => undefined);
      await other.publishAsync(upTopic(poolA, workerA), 'forged report', { qos: 1 });
    }
    await plane.publishAsync(downTopic(poolA, workerA), 'order', { qos: 1 });
    await plane.publishAsync(downTopic(poolA, workerB), 'order', { qos: 1 });
    await worker.publishAsync(upTopic(poolA, workerA), 'report', { qos: 1 });
    await others[0]?.publishAsync(upTopic(poolA, workerB), 'report', { qos: 1 });
    await expect.poll(() => atPlane?.length).toBe(2);
    await expect.poll(() => atOthers[0]?.length).toBeGreaterThan(0);
    expect(atPlane).toEqual([workerA, workerB].map((id) => `${upTopic(poolA, id)} report`));
    expect(atWorker).toEqual([`${downTopic(poolA, workerA)} order`]);
    // Once for each subscription that it matches.
    expect([...new Set(atOthers.flat())]).toEqual([`${downTopic(poolA, workerB)} order`]);
  });

  it('gives who takes the id of a worker of another pool nothing of it', async () => {
    const worker = await connect(identityA, workerA);
    const plane = await connect(controlPlane, 'control-plane');
    await worker.subscribeAsync(downTopic(poolA, workerA), { qos: 1 });
    await plane.subscribeAsync(allUpTopics, { qos: 1 });
    const stranger = await connect(identityB, workerA);
    const [atStranger, atPlane] = [heard(stranger), heard(plane)];
    await stranger.subscribeAsync(downTopic(poolA, workerA), { qos: 1 }).catch(() => undefined);
    await stranger.subscribeAsync(downTopic(poolB, workerA), { qos: 1 });
    await stranger.publishAsync(upTopic(poolA, workerA), 'forged report', { qos: 1 });
    await stranger.publishAsync(upTopic(poolB, workerA), 'own report', { qos: 1 });
    await plane.publishAsync(downTopic(poolA, workerA), 'order', { qos: 1 });
    await plane.publishAsync(downTopic(poolB, workerA), 'own order', { qos: 1 });
    await expect.poll(() => atPlane.length).toBe(1);
    await expect.poll(() => atStranger.length).toBe(1);
    expect(atPlane).toEqual([`${upTopic(poolB, workerA)} own report`]);
    expect(atStranger).toEqual([`${downTopic(poolB, workerA)} own order`]);
  });

  it('keeps a pool from giving orders to its own workers', async () => {
    const worker = await connect(identityA, workerA);
    const other = await connect(identityA, workerB);
    await worker.subscribeAsync(downTopic(poolA, workerA), { qos: 1 });
    const plane = await connect(controlPlane, 'control-plane');
    const atWorker = heard(worker);
    await other.publishAsync(downTopic(poolA, workerA), 'forged order', { qos: 1 });
    await plane.publishAsync(downTopic(poolA, workerA), 'order', { qos: 1 });
    await expect.poll(() => atWorker.length).toBe(1);
    expect(atWorker).toEqual([`${downTopic(poolA, workerA)} order`]);
  });

  /** Connects, again and again while the broker starts. */
  async function connect(identity: Identity, clientId: string): Promise<MqttClient> {
    for (let attempt = 0; ; attempt += 1) {
      try {
        const client = await connectAsync(`mqtts://127.0.0.1:${String(port)}`, {
          clientId,
          ca: authority.certificate,
          cert: identity.certificate,
          key: identity.privateKey,
          protocolVersion: 4,
          reconnectPeriod: 0,
        });
        clients.push(client);
        return client;
      } catch (error) {
        if (attempt === 50) throw error;
        await pause(50);
      }
    }
  }
});

async function poolIdentity(authority: Authority, pool: string, now: number): Promise<Identity> {
  const { csr, privateKey } = await keyAndRequest(rsaSha256);
  return { ...(await issuePoolCertificate({ authority, csr, pool, now })), privateKey };
}

/** Collects "topic message" of everything that arrives. */
function heard(client: MqttClient): string[] {
  const all: string[] = [];
  client.on('message', (topic, payload) => all.push(`${topic} ${payload.toString()}`));
  return all;
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await new Promise((resolve) => server.once('listening', resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}
