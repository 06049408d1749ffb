// A session by MQTT 3.1.1 on a stream that is open already.
import type { Duplex } from 'node:stream';
import { MqttClient } from 'mqtt';
import * as mqttPacket from 'mqtt-packet';
import { describeFailure, type ConnectStage } from './reasons.js';
import type { Session, SessionEvents } from './session.js';

// Otherwise the library keeps a buffer for each of 65,536 numbers: 6 MB, for a message every ten seconds.
mqttPacket.writeToStream.cacheNumbers = false;

/** Who speaks, and where. */
export interface MqttIdentity {
  readonly clientId: string;
  readonly upTopic: string;
  readonly downTopic: string;
  /** What proves who it is, where no client certificate does. */
  readonly login?: { readonly username: string; readonly password: string };
}

/** Milliseconds until a broker that does not answer is given up. */
const connectTimeout = 10_000;

/** `address`: of the broker, for people. */
export function beginMqttSession(
  stream: Duplex,
  address: string,
  identity: MqttIdentity,
  events: SessionEvents,
): Session {
  let stage: ConnectStage = 'mqtt';
  let failure: unknown;
  let cutReason: string | undefined;
  let closing: (() => void) | undefined;
  let closed = false;
  const unanswered = new Set<(delivered: boolean) => void>();

  stream.on('error', (error) => {
    failure ??= error;
  });
  // MQTT.js takes the stream as it comes: so keys are parsed once for all connections, and errors are ours.
  const client = new MqttClient(() => stream, {
    protocolVersion: 4,
    clientId: identity.clientId,
    clean: true,
    ...identity.login,
    keepalive: Math.ceil(events.keepalive / 1000),
    // Otherwise what the launcher itself publishes would put off the ping that notices a dead line.
    reschedulePings: false,
    reconnectPeriod: 0,
    resubscribe: false,
    queueQoSZero: false,
    connectTimeout,
    will: { topic: identity.upTopic, payload: events.will, qos: 1, retain: false },
  });
  client.on('connect', () => {
    stage = 'session';
    client.subscribe(identity.downTopic, { qos: 1 }, (error, granted) => {
      if (error === null && granted?.every(({ qos }) => qos <= 2) === true) {
        if (!closed) events.onReady();
        return;
      }
      session.cut(
        `the broker refused the subscription of ${identity.downTopic}; its access rules must allow it`,
      );
    });
  });
  client.on('message', (_topic, payload) => {
    events.onMessage(payload);
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
    events.onClosed(cutReason ?? describeFailure(address, stage, failure));
  });

  const session: Session = {
    publish(payload) {
      if (closed || !client.connected) return Promise.resolve(false);
      return new Promise((resolve) => {
        const settle = (delivered: boolean) => {
          unanswered.delete(settle);
          resolve(delivered);
        };
        unanswered.add(settle);
        client.publish(identity.upTopic, payload, { qos: 1 }, (error) => {
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
