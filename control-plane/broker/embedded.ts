// The embedded broker: MQTT over mutual TLS, and over WebSockets that are handed in. A client is known by its
// certificate (common name = pool), in TLS or with a signed challenge; it may write to its own `up` topic and read its own
// `down` topic, and nothing else.
import { createServer, TLSSocket, type PeerCertificate } from 'node:tls';
import type { AddressInfo } from 'node:net';
import {
  Aedes,
  type AedesPublishPacket,
  type AuthenticateError,
  type Client,
  type ConnectPacket,
} from 'aedes';
import type { Logger } from 'pino';
import { PoolwrightError, messageOf } from '../../protocol/errors.js';
import { limits, rhythm } from '../../protocol/limits.js';
import { verifyWorkerProof, type ProvenIdentity } from '../../protocol/worker-proof.js';
import { allUpTopics, downTopic, ulidSchema, upTopic } from '../../protocol/topics.js';
import type { Broker, CurrentSerial, IncomingMessage } from './broker.js';
import { createWebSocketEntrance } from './web-socket.js';

export interface EmbeddedBrokerOptions {
  readonly host: string;
  /** 0: any free one. */
  readonly port: number;
  /** PEM: the server's certificate and key, and the authority of client certificates. */
  readonly certificate: string;
  readonly key: string;
  readonly authority: string;
  readonly currentSerial: CurrentSerial;
  /** Unix milliseconds. */
  readonly now: () => number;
  /** Must not throw; a fault in a message is its own affair. */
  readonly onMessage: (message: IncomingMessage) => void;
  readonly log: Logger;
}

/** Starts to listen. Throws PORT_IN_USE. */
export async function startEmbeddedBroker(options: EmbeddedBrokerOptions): Promise<Broker> {
  const { log } = options;
  /** By the connection: what a client that came by WebSocket has to sign. */
  const challenges = new WeakMap<object, string>();
  const identities = new WeakMap<Client, ProvenIdentity>();
  const clients = new Map<string, Client>();
  const aedes = await Aedes.createBroker({
    // A client that asks for a longer keep-alive would be noticed too late when its connection breaks.
    keepaliveLimit: Math.ceil((rhythm.keepalive / 1000) * 2),
    connectTimeout: 10_000,
    maxClientsIdLength: 64,
    maxTopicLevels: 8,
    preConnect(client, packet, done) {
      const identity = identify(client, packet);
      if (identity === undefined || !ulidSchema.safeParse(packet.clientId).success) {
        done(new Error('expected a pool certificate and a worker id as client id'), false);
        return;
      }
      // The library ends the connection that has the name already: that is for the worker itself, not for another pool.
      const present = clients.get(packet.clientId);
      if (present !== undefined && identities.get(present)?.pool !== identity.pool) {
        done(new Error('a worker of another pool is connected with this id'), false);
        return;
      }
      identities.set(client, identity);
      done(null, true);
    },
    authenticate(client, _username, _password, done) {
      const identity = identities.get(client);
      if (identity === undefined) {
        done(refusal(notAuthorized, 'there is no certificate'), null);
        return;
      }
      options.currentSerial(identity.pool).then(
        (serial) => {
          if (serial === identity.serial) done(null, true);
          else done(refusal(notAuthorized, 'the pool is gone or has a new certificate'), null);
        },
        (error: unknown) => {
          log.error({ err: error, pool: identity.pool }, 'a worker could not be checked');
          // Nothing is said against the worker: it is to come again, not to think that its token is worth nothing.
          done(refusal(unavailable, 'the check failed'), null);
        },
      );
    },
    authorizePublish(client, packet, done) {
      // Null: the control plane itself. The last will comes here too, with the client it belongs to.
      const identity = client === null ? undefined : identities.get(client);
      if (client === null) done(null);
      else if (identity === undefined || packet.topic !== upTopic(identity.pool, client.id)) {
        done(new Error(`a worker may write to its own topic only, not to ${packet.topic.slice(0, 200)}`));
      } else if (packet.payload.length > limits.message) done(new Error('the message is too large'));
      else if (packet.retain) done(new Error('messages are not retained'));
      else done(null);
    },
    authorizeSubscribe(client, subscription, done) {
      const identity = identities.get(client);
      const own = identity !== undefined && subscription.topic === downTopic(identity.pool, client.id);
      // Null refuses the one subscription (SUBACK 128) and keeps the connection.
      done(null, own ? subscription : null);
    },
  });
  aedes.on('clientReady', (client) => clients.set(client.id, client));
  aedes.on('clientDisconnect', (client) => {
    if (clients.get(client.id) === client) clients.delete(client.id);
  });
  for (const event of ['clientError', 'connectionError'] as const) {
    aedes.on(event, (client, error) => {
      log.debug(
        { worker: client.id, reason: error.message },
        'a connection to the broker ended with a fault',
      );
    });
  }
  await new Promise<void>((resolve) => {
    aedes.subscribe(
      allUpTopics,
      (packet: AedesPublishPacket, done) => {
        done();
        options.onMessage({
          topic: packet.topic,
          payload: Buffer.from(packet.payload),
          certificateSerial: serialOf(packet, clients, identities),
        });
      },
      resolve,
    );
  });

  /** Undefined for a client that does not prove which pool it is of. */
  function identify(client: Client, packet: ConnectPacket): ProvenIdentity | undefined {
    const { conn } = client;
    if (conn instanceof TLSSocket) return identityOf(conn);
    const challenge = challenges.get(conn);
    const { username, password, clientId } = packet;
    if (challenge === undefined || username === undefined || password === undefined) return undefined;
    const proof = { certificate: username, signature: password.toString() };
    const { authority } = options;
    try {
      return verifyWorkerProof(proof, { authority, challenge, worker: clientId, now: options.now() });
    } catch (error) {
      log.info({ worker: clientId, reason: messageOf(error) }, 'a worker that came by WebSocket was refused');
      return undefined;
    }
  }

  const webSockets = createWebSocketEntrance((stream, challenge) => {
    challenges.set(stream, challenge);
    aedes.handle(stream);
  });

  const server = createServer(
    {
      cert: options.certificate,
      key: options.key,
      ca: options.authority,
      requestCert: true,
      rejectUnauthorized: true,
      minVersion: 'TLSv1.2',
    },
    (socket) => {
      socket.setNoDelay(true);
      aedes.handle(socket);
    },
  );
  server.on('tlsClientError', (error, socket) => {
    log.info(
      { from: socket.remoteAddress, reason: messageOf(error) },
      'a connection to the broker was refused',
    );
  });
  await listen(server, options.host, options.port);
  const { address, family, port } = server.address() as AddressInfo;

  return {
    address: family === 'IPv6' ? `[${address}]:${String(port)}` : `${address}:${String(port)}`,
    upgrade: (request, socket, head) => {
      webSockets.upgrade(request, socket, head);
    },
    hears: () => true,
    publish(topic, payload) {
      return new Promise((resolve, reject) => {
        aedes.publish(
          { cmd: 'publish', topic, payload: Buffer.from(payload), qos: 1, dup: false, retain: false },
          (error) => {
            if (error) reject(error);
            else resolve();
          },
        );
      });
    },
    cutPool(pool, exceptSerial) {
      for (const client of clients.values()) {
        const identity = identities.get(client);
        // The farewell that was just published goes out first: the end of the stream comes after it.
        if (identity?.pool === pool && identity.serial !== exceptSerial)
          setImmediate(() => {
            client.close();
          });
      }
    },
    async close() {
      const closed = new Promise<void>((resolve) =>
        server.close(() => {
          resolve();
        }),
      );
      await new Promise<void>((resolve) => {
        aedes.close(resolve);
      });
      webSockets.close();
      await closed;
    },
  };
}

/** Common name and serial of the client's certificate, which TLS has checked against the authority. */
function identityOf(socket: TLSSocket): ProvenIdentity | undefined {
  // Empty when the connection has ended in the meantime.
  const certificate: Partial<PeerCertificate> = socket.getPeerCertificate();
  const pool = certificate.subject?.CN;
  if (
    certificate.serialNumber === undefined ||
    typeof pool !== 'string' ||
    !ulidSchema.safeParse(pool).success
  )
    return undefined;
  return { pool, serial: certificate.serialNumber };
}

/** The sender of a packet is the client whose topic it is: nobody else may write there. */
function serialOf(
  packet: AedesPublishPacket,
  clients: ReadonlyMap<string, Client>,
  identities: WeakMap<Client, ProvenIdentity>,
): string | null {
  const client = clients.get(packet.topic.slice(packet.topic.lastIndexOf('/') + 1));
  return (client && identities.get(client)?.serial) ?? null;
}

/** Return codes of MQTT 3.1.1, 3.2.2.3. The library names them in a const enum, which cannot be imported. */
const [unavailable, notAuthorized]: readonly unknown[] = [3, 5];

function refusal(returnCode: unknown, reason: string): AuthenticateError {
  return Object.assign(new Error(reason), { returnCode }) as AuthenticateError;
}

function listen(server: ReturnType<typeof createServer>, host: string, port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', (error: NodeJS.ErrnoException) => {
      reject(
        error.code === 'EADDRINUSE'
          ? new PoolwrightError(
              'PORT_IN_USE',
              `Another program listens on ${host}:${String(port)}. Give the broker another address with --broker-listen.`,
            )
          : error,
      );
    });
    server.listen(port, host, () => {
      resolve();
    });
  });
}
