// A real MQTT broker over TLS with client certificates, and the control plane's voice on it.
import { createServer, type TLSSocket } from 'node:tls';
import type { AddressInfo } from 'node:net';
import { Aedes } from 'aedes';
import { ulid } from 'ulid';
import type { UpwardMessage } from '../../../protocol/lines.js';
import type { DownMessage } from '../../../protocol/messages.js';
import { encodeDown } from '../../../protocol/signing.js';
import { decodeUp } from '../../../protocol/wire.js';
import { parseTopic } from '../../../protocol/topics.js';
import { pool as poolId } from '../../protocol/support/messages.js';
import type { TestPool } from './pool.js';

export interface Said {
  readonly worker: string;
  readonly message: UpwardMessage;
}

/** What differs between messages; the rest is filled in. */
export type Order = DownMessage extends infer Message
  ? Message extends DownMessage
    ? Omit<Message, 'v' | 'id' | 'pool' | 'worker' | 'session' | 'issuedAt' | 'expiresAt'>
    : never
  : never;

export interface TestBroker {
  readonly port: number;
  /** All that workers and wills said, in order. */
  readonly said: readonly Said[];
  /** Whether `register` is answered. Default true. */
  answering: boolean;
  /** Whether nothing is answered for the time being: neither subscriptions nor what is published. */
  holding: boolean;
  /** Each answers what was held, in the order in which it came. */
  readonly held: (() => void)[];
  /** Added to the clock of this control plane. */
  ahead: number;
  /** Signs an order for the newest session and publishes it; gives what was published. */
  order(worker: string, order: Order, changes?: Partial<DownMessage>): Promise<Buffer>;
  publish(worker: string, payload: Buffer): Promise<void>;
  /** Cuts all connections now. */
  cutAll(): void;
  close(): Promise<void>;
}

export interface BrokerOptions {
  readonly port?: number;
  /** What the server shows and whom it trusts; default: the pool's. */
  readonly server?: { readonly certificate: string; readonly privateKey: string };
  readonly clientAuthority?: string;
}

export async function startBroker(pool: TestPool, options: BrokerOptions = {}): Promise<TestBroker> {
  const aedes = await Aedes.createBroker();
  const said: Said[] = [];
  const sessions = new Map<string, string>();
  const sockets = new Set<TLSSocket>();
  const { certificate, privateKey } = options.server ?? pool.server;
  const server = createServer(
    {
      cert: certificate,
      key: privateKey,
      ca: options.clientAuthority ?? pool.authority.certificate,
      requestCert: true,
      rejectUnauthorized: true,
    },
    (socket) => {
      sockets.add(socket);
      socket.on('close', () => sockets.delete(socket));
      socket.on('error', () => undefined); // A launcher that is killed resets its connection; that is the test's wish.
      aedes.handle(socket);
    },
  );
  const inTime = (answer: () => void) => {
    if (broker.holding) broker.held.push(answer);
    else answer();
  };
  aedes.authorizeSubscribe = (_client, subscription, done) => {
    inTime(() => {
      done(null, subscription);
    });
  };
  aedes.authorizePublish = (client, _packet, done) => {
    if (client === null) done(null);
    else
      inTime(() => {
        done(null);
      });
  };
  const broker: TestBroker = {
    port: 0,
    said,
    answering: true,
    held: [],
    holding: false,
    ahead: 0,
    async order(worker, order, changes = {}) {
      const now = Date.now() + broker.ahead;
      const message = {
        v: 1,
        id: ulid(),
        pool: poolId,
        worker,
        session: sessions.get(worker) ?? '0'.repeat(32),
        issuedAt: now,
        expiresAt: now + 15_000,
        ...order,
        ...changes,
      } as DownMessage;
      const payload = encodeDown(message, pool.signingKey);
      await broker.publish(worker, payload);
      return payload;
    },
    publish: (worker, payload) =>
      new Promise((resolve, reject) => {
        aedes.publish(
          {
            cmd: 'publish',
            topic: `poolwright/v1/${poolId}/down/${worker}`,
            payload,
            qos: 1,
            retain: false,
            dup: false,
          },
          (error) => {
            if (error) reject(error);
            else resolve();
          },
        );
      }),
    cutAll() {
      for (const socket of sockets) socket.destroy();
    },
    close: () =>
      new Promise((resolve) => {
        broker.cutAll();
        aedes.close(() => {
          server.close(() => {
            resolve();
          });
        });
      }),
  };
  aedes.on('publish', (packet) => {
    const topic = parseTopic(packet.topic);
    if (topic?.direction !== 'up') return;
    const message = decodeUp(Buffer.from(packet.payload));
    said.push({ worker: topic.worker, message });
    if (message.type !== 'register') return;
    sessions.set(topic.worker, message.session);
    if (broker.answering) void broker.order(topic.worker, { type: 'registered', drained: false });
  });
  await new Promise<void>((resolve) => server.listen(options.port ?? 0, '127.0.0.1', resolve));
  return Object.assign(broker, { port: (server.address() as AddressInfo).port });
}
