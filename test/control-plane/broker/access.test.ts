// What a certificate lets its holder do at the broker, and what it does not: real TLS, real MQTT.
import { randomBytes } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connect, type IClientOptions, type MqttClient } from 'mqtt';
import { ulid } from 'ulid';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { createAuthority, issuePoolCertificate } from '../../../protocol/certificates.js';
import { generateKeyAndRequest, type KeyAndRequest } from '../../../protocol/requests.js';
import { decodeToken } from '../../../protocol/token.js';
import { downTopic, upTopic } from '../../../protocol/topics.js';
import { createPool, resetPool } from '../../../control-plane/cli/api/pools.js';
import { launchLauncher, startControlPlane, type TestPlane } from '../../support/control-plane.js';
import { until } from '../../launcher/support/until.js';
import { temporaryFolder } from '../../support/temporary.js';

let folder: string;
let plane: TestPlane;
let other: { id: string; token: string } & KeyAndRequest;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'poolwright-broker-'));
  plane = await startControlPlane(folder);
  const made = await generateKeyAndRequest();
  const { pool, token } = await createPool(plane.client, {
    name: 'other',
    certificateSigningRequest: made.request,
  });
  other = { id: pool.id, token, ...made };
});
afterAll(async () => {
  await plane.close();
  await rm(folder, { recursive: true });
});

async function connected(token: string, key: string, options: IClientOptions = {}): Promise<MqttClient> {
  const { certificate, authorities } = decodeToken(token);
  const client = connect(`mqtts://${plane.controlPlane.brokerAddress}`, {
    cert: certificate,
    key,
    ca: [...authorities],
    clientId: ulid(),
    keepalive: 8,
    protocolVersion: 4,
    reconnectPeriod: 0,
    connectTimeout: 5000,
    ...options,
  });
  client.on('error', () => undefined); // 'close' follows.
  onTestFinished(() => client.endAsync(true));
  await new Promise<void>((resolve, reject) => {
    client.once('connect', () => {
      resolve();
    });
    client.once('close', () => {
      reject(new Error('the connection was refused'));
    });
  });
  return client;
}

const refused = (attempt: Promise<unknown>) => expect(attempt).rejects.toThrow();

describe('a certificate at the broker', () => {
  it('is needed, and must be of this control plane', async () => {
    await refused(connected(plane.token, plane.privateKey, { cert: '', key: '' }));
    const authority = await createAuthority({ now: Date.now() });
    const foreign = await issuePoolCertificate({
      authority,
      csr: other.request,
      pool: other.id,
      now: Date.now(),
    });
    await refused(connected(other.token, other.privateKey, { cert: foreign.certificate }));
  });

  it('lets a worker read its own topic and no other', async () => {
    const worker = ulid();
    const client = await connected(other.token, other.privateKey, { clientId: worker });
    const granted = async (topic: string) =>
      client.subscribeAsync(topic, { qos: 1 }).then(
        ([first]) => (first?.qos ?? 128) < 128,
        () => false,
      );
    expect(await granted(downTopic(other.id, worker))).toBe(true);
    for (const topic of [
      downTopic(plane.pool, worker),
      downTopic(other.id, ulid()),
      upTopic(other.id, worker),
      `poolwright/v1/${other.id}/down/#`,
      'poolwright/v1/+/down/+',
      '#',
      '$SYS/#',
    ]) {
      expect(await granted(topic), topic).toBe(false);
    }
  });

  it('lets a worker write to its own topic and no other: it is cut off', async () => {
    const worker = ulid();
    for (const topic of [
      upTopic(plane.pool, worker),
      downTopic(other.id, worker),
      upTopic(other.id, ulid()),
      'anything',
    ]) {
      const client = await connected(other.token, other.privateKey, { clientId: worker });
      const closed = new Promise<void>((resolve) => client.once('close', resolve));
      client.publish(topic, 'x', { qos: 0 });
      await closed;
    }
    expect((await plane.workers()).length).toBe(0);
  });

  it('does not let a worker be put out by another pool that takes its name', async () => {
    const worker = ulid();
    const client = await connected(plane.token, plane.privateKey, { clientId: worker });
    await refused(connected(other.token, other.privateKey, { clientId: worker }));
    expect(client.connected).toBe(true);
    // It may come again itself, before its old connection is known to be over.
    const again = await connected(plane.token, plane.privateKey, { clientId: worker });
    expect(again.connected).toBe(true);
  });

  it('must come with a worker id for a name', async () => {
    await refused(connected(other.token, other.privateKey, { clientId: 'not a worker id' }));
  });

  it('counts no longer once its pool is reset: connections end, new ones are refused', async () => {
    const made = await generateKeyAndRequest();
    const { pool, token } = await createPool(plane.client, {
      name: 'to be reset',
      certificateSigningRequest: made.request,
    });
    const client = await connected(token, made.privateKey);
    const closed = new Promise<void>((resolve) => client.once('close', resolve));
    await resetPool(plane.client, { id: pool.id, certificateSigningRequest: made.request });
    await closed;
    await refused(connected(token, made.privateKey));
  });

  it('does not make rubbish on its topic count', async () => {
    const worker = ulid();
    const client = await connected(other.token, other.privateKey, { clientId: worker });
    for (const rubbish of [
      randomBytes(100),
      Buffer.from('{}'),
      Buffer.from('{"v":1,"type":"register"}'),
      Buffer.alloc(300_000, '['),
    ]) {
      await client.publishAsync(upTopic(other.id, worker), rubbish, { qos: 1 });
    }
    expect(client.connected).toBe(true);
    expect(await plane.workers()).toEqual([]);
  });
});

describe('a launcher', () => {
  it('with the key of another pool does not start, and says so', async () => {
    const launcher = launchLauncher({
      SPACELIFT_TOKEN: plane.token,
      SPACELIFT_POOL_PRIVATE_KEY: Buffer.from(other.privateKey).toString('base64'),
      POOLWRIGHT_STATE_DIR: await temporaryFolder(),
      POOLWRIGHT_EXECUTOR: 'host',
    });
    expect(await launcher.ended).toBe(2);
    expect(launcher.output()).toMatch(/SPACELIFT_POOL_PRIVATE_KEY: .*does not belong/s);
    expect(launcher.output()).not.toContain(plane.token.slice(0, 60));
  });

  it('of a pool that is reset ends, and says why', async () => {
    const made = await generateKeyAndRequest();
    const { pool, token } = await createPool(plane.client, {
      name: 'reset below',
      certificateSigningRequest: made.request,
    });
    const launcher = launchLauncher({
      SPACELIFT_TOKEN: token,
      SPACELIFT_POOL_PRIVATE_KEY: Buffer.from(made.privateKey).toString('base64'),
      POOLWRIGHT_STATE_DIR: await temporaryFolder(),
      POOLWRIGHT_EXECUTOR: 'host',
    });
    await until(() => launcher.output().includes('Registered'), 'the registration');
    await resetPool(plane.client, { id: pool.id, certificateSigningRequest: made.request });
    expect(await launcher.ended).toBe(0);
    expect(launcher.output()).toContain('reset');
  });
});
