// A worker that speaks the protocol for real (TLS, MQTT, signatures left unchecked) and executes nothing.
// A thousand of these stand for a large pool on a small machine.
import { createPrivateKey, randomBytes } from 'node:crypto';
import mqtt, { type MqttClient } from 'mqtt';
import { ulid } from 'ulid';
import { parseBrokerEndpoint } from '../../protocol/endpoint.js';
import { rhythm } from '../../protocol/limits.js';
import {
  downMessageSchema,
  protocolVersion,
  signedSchema,
  type Assignment,
} from '../../protocol/messages.js';
import { proveRegistration } from '../../protocol/proof.js';
import type { PoolToken } from '../../protocol/token.js';
import { downTopic, upTopic } from '../../protocol/topics.js';
import { encodeUp } from '../../protocol/wire.js';
import { workerApi, type SpoolRecord } from '../../protocol/worker-api.js';

export interface SimulatedWorkerOptions {
  readonly token: PoolToken;
  /** PEM of the pool's private key. */
  readonly privateKey: string;
  /** Called at the moment the assignment is parsed; the answer says whether to play the run through. */
  readonly onAssignment?: (assignment: Assignment) => 'play' | 'hold';
  /** Called when the last record of a run is acknowledged. */
  readonly onFinished?: (run: string) => void;
}

export interface SimulatedWorker {
  readonly id: string;
  close(): Promise<void>;
}

/** Connects, registers, and resolves when the control plane has answered `registered`. */
export async function startSimulatedWorker(options: SimulatedWorkerOptions): Promise<SimulatedWorker> {
  const { token } = options;
  const id = ulid();
  const session = randomBytes(16).toString('hex');
  const { host, port } = parseBrokerEndpoint(token.broker.endpoint);
  const stamp = () => ({ v: protocolVersion, session, at: Date.now() }) as const;
  const client = await mqtt.connectAsync({
    protocol: 'mqtts',
    protocolVersion: 4,
    host,
    port,
    clientId: id,
    clean: true,
    keepalive: rhythm.keepalive / 1000,
    cert: token.certificate,
    key: options.privateKey,
    ca: [...token.authorities],
    reconnectPeriod: 0,
    will: {
      topic: upTopic(token.pool, id),
      payload: encodeUp({ ...stamp(), type: 'gone', orderly: false, reason: 'connection lost' }),
      qos: 1,
      retain: false,
    },
  });
  const up = (message: Parameters<typeof encodeUp>[0]) =>
    client.publishAsync(upTopic(token.pool, id), encodeUp(message), { qos: 1 });
  let held: Assignment | undefined;
  const registered = new Promise<void>((resolve) => {
    client.on('message', (_topic, payload) => {
      const signed = signedSchema.parse(JSON.parse(payload.toString()));
      const message = downMessageSchema.parse(JSON.parse(signed.payload));
      if (message.type === 'registered') resolve();
      if (message.type !== 'assignment' || held?.run === message.run) return;
      held = message;
      if (options.onAssignment?.(message) === 'hold') return;
      void play(message).finally(() => {
        held = undefined;
        void up({ ...stamp(), type: 'heartbeat', held: null, leaving: false });
        options.onFinished?.(message.run);
      });
    });
  });
  await client.subscribeAsync(downTopic(token.pool, id), { qos: 1 });
  const stamped = stamp();
  const registrant = { pool: token.pool, worker: id, session, at: stamped.at };
  await up({
    ...stamped,
    type: 'register',
    proof: proveRegistration(registrant, createPrivateKey(options.privateKey)),
    metadata: { simulated: 'true' },
    version: 'bench',
    executor: 'host',
    held: null,
    leaving: false,
  });
  await registered;
  const beat = setInterval(() => {
    const state = held && { run: held.run, attempt: held.attempt, begun: true };
    void up({ ...stamp(), type: 'heartbeat', held: state ?? null, leaving: false });
  }, rhythm.heartbeat);
  return {
    id,
    close: () => end(client, beat),
  };
}

async function end(client: MqttClient, beat: NodeJS.Timeout): Promise<void> {
  clearInterval(beat);
  await client.endAsync(true);
}

/** Accepts, begins and finishes a run with one log line in each state, as a quick real one would. */
async function play(assignment: Assignment): Promise<void> {
  const { run, attempt, bulk } = assignment;
  const post = async (path: string, body?: string) => {
    const answer = await fetch(new URL(path, bulk.endpoint), {
      method: 'POST',
      headers: {
        authorization: `Bearer ${bulk.token}`,
        ...(body === undefined ? {} : { 'content-type': 'application/x-ndjson' }),
      },
      ...(body === undefined ? {} : { body }),
    });
    const text = await answer.text();
    if (!answer.ok) throw new Error(`${path}: ${String(answer.status)} ${text}`);
  };
  await post(workerApi.accept(run, attempt));
  await post(workerApi.begin(run, attempt));
  const t = Date.now();
  const records: SpoolRecord[] = [
    { n: 1, t, k: 'state', s: 'INITIALIZING' },
    { n: 2, t, k: 'state', s: 'PLANNING' },
    { n: 3, t, k: 'log', s: 'PLANNING', m: 'No changes.\n' },
    {
      n: 4,
      t,
      k: 'result',
      outcome: 'finished',
      code: null,
      message: null,
      changes: { add: 0, change: 0, destroy: 0, any: false },
      workspace: null,
      commit: null,
    },
  ];
  await post(workerApi.spool(run, attempt), records.map((record) => `${JSON.stringify(record)}\n`).join(''));
}
