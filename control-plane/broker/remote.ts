// A broker of the user's own, by its URL: any MQTT 5 broker with shared subscriptions. Each message of a worker goes to
// one of the control planes that are connected.
import { setTimeout as sleep } from 'node:timers/promises';
import mqtt, { type IClientOptions } from 'mqtt';
import type { Logger } from 'pino';
import { PoolwrightError, messageOf } from '../../protocol/errors.js';
import { limits, rhythm } from '../../protocol/limits.js';
import { allUpTopics } from '../../protocol/topics.js';
import type { Broker, IncomingMessage } from './broker.js';

/** Control planes with this group name share the messages. */
export const sharedUpTopics = `$share/control-plane/${allUpTopics}`;

/** Milliseconds. */
const times = {
  connect: 10_000,
  reconnect: 1000,
  /** How long a start waits for a broker that does not answer yet. */
  patience: 30_000,
} as const;

export interface RemoteBrokerOptions {
  /** `mqtts://host:port`; with `user:password@` for brokers that ask for it besides the certificate. */
  readonly url: string;
  /** Names this process among the others, to the broker. */
  readonly clientId: string;
  /** PEM: who the control plane is. */
  readonly certificate: string;
  readonly key: string;
  /** PEM: the only authorities to trust for the broker. */
  readonly authorities: readonly string[];
  /** Must not throw; a fault in a message is its own affair. */
  readonly onMessage: (message: IncomingMessage) => void;
  /** The line stands, for the first time or again: what workers said meanwhile may be lost. */
  readonly onLine: () => void;
  readonly log: Logger;
  readonly onProgress?: (line: string) => void;
}

/** Resolves when the subscription stands. Throws UNAVAILABLE when the broker does not answer or refuses. */
export async function connectBroker(options: RemoteBrokerOptions): Promise<Broker> {
  const { log } = options;
  const url = new URL(options.url);
  const place = `${url.hostname}:${url.port === '' ? '8883' : url.port}`;
  let fault = 'no answer';
  let hears = false;
  const client = mqtt.connect(clientOptions(options, url));
  client.on('message', (topic, payload) => {
    // Who may write where is the broker's affair; whose certificate it was, a message has to prove itself.
    if (payload.length <= limits.message) options.onMessage({ topic, payload, certificateSerial: null });
  });
  client.on('error', (error) => {
    fault = messageOf(error);
    log.warn({ broker: place, reason: fault }, 'the line to the broker has a fault');
  });
  client.on('close', () => {
    if (hears) log.warn({ broker: place }, 'the line to the broker broke; connecting again');
    hears = false;
  });
  client.on('connect', () => {
    client
      .subscribeAsync(sharedUpTopics, { qos: 1 })
      .then(() => {
        hears = true;
        log.info({ broker: place }, 'the line to the broker stands');
        options.onLine();
      })
      .catch((error: unknown) => {
        fault = `it refuses the subscription of ${sharedUpTopics} (${messageOf(error)})`;
        log.error({ broker: place, reason: fault }, 'the broker refuses the subscription; trying again');
        client.reconnect();
      });
  });

  const heard = () => hears;
  const until = Date.now() + times.patience;
  for (let said = false; !heard();) {
    if (Date.now() >= until) {
      await client.endAsync(true);
      throw new PoolwrightError(
        'UNAVAILABLE',
        `The broker at ${place} cannot be used: ${fault}. Start it, or correct BROKER_URL and what belongs to it.`,
      );
    }
    if (!said && fault !== 'no answer') {
      options.onProgress?.(`waiting for the broker at ${place} (${fault})`);
      said = true;
    }
    await sleep(50);
  }

  return {
    address: place,
    hears: heard,
    // Workers speak to the broker themselves; their tokens name no WebSocket of ours.
    upgrade: (_request, socket) => {
      socket.end('HTTP/1.1 404 Not Found\r\nConnection: close\r\n\r\n');
    },
    async publish(topic, payload) {
      // What is kept for later would come when it no longer counts.
      if (!client.connected)
        throw new PoolwrightError('UNAVAILABLE', `There is no line to the broker at ${place}.`);
      await client.publishAsync(topic, Buffer.from(payload), { qos: 1 });
    },
    // A broker that is not ours has no way to be told. Workers are told themselves, and cannot register any more.
    cutPool: () => undefined,
    close: () => client.endAsync(),
  };
}

function clientOptions(options: RemoteBrokerOptions, url: URL): IClientOptions {
  return {
    protocol: 'mqtts',
    protocolVersion: 5,
    host: url.hostname.replace(/^\[|\]$/g, ''),
    port: url.port === '' ? 8883 : Number(url.port),
    ...(url.username === '' ? {} : { username: decodeURIComponent(url.username) }),
    ...(url.password === '' ? {} : { password: decodeURIComponent(url.password) }),
    clientId: options.clientId,
    clean: true,
    keepalive: rhythm.keepalive / 1000,
    reschedulePings: false,
    connectTimeout: times.connect,
    reconnectPeriod: times.reconnect,
    // Done at every connect, so that a refusal is seen.
    resubscribe: false,
    queueQoSZero: false,
    cert: options.certificate,
    key: options.key,
    ca: [...options.authorities],
  };
}
