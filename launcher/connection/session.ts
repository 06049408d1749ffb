// One MQTT connection from connect to close. Connecting again is the business of mqtt.ts.
import { connect, type SecureContext, type TLSSocket } from 'node:tls';
import { isIP } from 'node:net';
import { MqttClient } from 'mqtt';
import * as mqttPacket from 'mqtt-packet';
import type { BrokerAddress } from '../../protocol/endpoint.js';
import { describeFailure, type ConnectStage } from './reasons.js';

// Otherwise the library keeps a buffer for each of 65,536 numbers: 6 MB, for a message every ten seconds.
mqttPacket.writeToStream.cacheNumbers = false;

export interface SessionOptions {
  readonly address: BrokerAddress;
  readonly secureContext: SecureContext;
  readonly clientId: string;
  readonly upTopic: string;
  readonly downTopic: string;
  readonly will: Buffer;
  /** Milliseconds; rounded up to whole seconds. */
  readonly keepalive: number;
  /** Milliseconds until a connect that hangs is given up. */
  readonly connectTimeout: number;
  /** The broker has confirmed the subscription: what is published now can be answered. */
  readonly onReady: () => void;
  readonly onMessage: (payload: Buffer) => void;
  /** Called once. The reason is a sentence for people. */
  readonly onClosed: (reason: string) => void;
}

export interface Session {
  /** Resolves when the broker has the message, false when the connection broke before. */
  publish(payload: Buffer): Promise<boolean>;
  /** Ends the connection at once, so that the broker publishes the will. */
  cut(reason: string): void;
  /** Ends the connection in order: no will. Resolves when it is closed. */
  close(): Promise<void>;
}

export function openSession(options: SessionOptions): Session {
  let stage: ConnectStage = 'looking up';
  let failure: unknown;
  let cutReason: string | undefined;
  let closing: (() => void) | undefined;
  let closed = false;
  const unanswered = new Set<(delivered: boolean) => void>();

  function openSocket(): TLSSocket {
    const { host, port } = options.address;
    const socket = connect({
      host,
      port,
      secureContext: options.secureContext,
      // Server name indication is for names only.
      ...(isIP(host) === 0 ? { servername: host } : {}),
    });
    // Short messages, each waiting for its answer: nothing to collect.
    socket.setNoDelay(true);
    socket.once('lookup', () => (stage = 'tcp'));
    socket.once('connect', () => (stage = 'tls'));
    socket.once('secureConnect', () => (stage = 'mqtt'));
    socket.on('error', (error) => {
      failure ??= error;
    });
    return socket;
  }

  // MQTT.js takes the socket as it comes: so the key is parsed once for all connections, and errors are ours.
  const client = new MqttClient(openSocket, {
    protocolVersion: 4,
    clientId: options.clientId,
    clean: true,
    keepalive: Math.ceil(options.keepalive / 1000),
    // Otherwise what the launcher itself publishes would put off the ping that notices a dead line.
    reschedulePings: false,
    reconnectPeriod: 0,
    resubscribe: false,
    queueQoSZero: false,
    connectTimeout: options.connectTimeout,
    will: { topic: options.upTopic, payload: options.will, qos: 1, retain: false },
  });
  client.on('connect', () => {
    stage = 'session';
    client.subscribe(options.downTopic, { qos: 1 }, (error, granted) => {
      if (error === null && granted?.every(({ qos }) => qos <= 2) === true) {
        if (!closed) options.onReady();
        return;
      }
      session.cut(
        `the broker refused the subscription of ${options.downTopic}; its access rules must allow it`,
      );
    });
  });
  client.on('message', (_topic, payload) => {
    options.onMessage(payload);
  });
  client.on('error', (error) => {
    failure ??= error;
  });
  client.on('close', () => {
    if (closed) return;
    closed = true;
    closing?.();
    // MQTT.js forgets the callbacks of a connection that it did not end itself.
    for (const settle of unanswered) settle(false);
    options.onClosed(cutReason ?? reasonOf());
  });

  function reasonOf(): string {
    // MQTT.js closes without an error when its time for connecting is over.
    if (failure === undefined && stage !== 'session' && stage !== 'mqtt') {
      return describeFailure(
        options.address,
        stage,
        Object.assign(new Error('timeout'), { code: 'ETIMEDOUT' }),
      );
    }
    return describeFailure(options.address, stage, failure);
  }

  const session: Session = {
    publish(payload) {
      if (closed || !client.connected) return Promise.resolve(false);
      return new Promise((resolve) => {
        const settle = (delivered: boolean) => {
          unanswered.delete(settle);
          resolve(delivered);
        };
        unanswered.add(settle);
        client.publish(options.upTopic, payload, { qos: 1 }, (error) => {
          settle(!error);
        });
      });
    },
    cut(reason) {
      cutReason ??= reason;
      client.end(true);
      client.stream.destroy();
    },
    close() {
      if (closed) return Promise.resolve();
      return new Promise((resolve) => {
        closing = resolve;
        client.end(false);
      });
    },
  };
  return session;
}
