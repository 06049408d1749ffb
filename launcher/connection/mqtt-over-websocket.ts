// MQTT over a WebSocket at the API's address, usually port 443, for networks that let only that through. The worker proves
// who it is with a signed challenge: a client certificate would not come through a proxy that ends TLS.
import type { KeyObject } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import type { SecureContext } from 'node:tls';
import WebSocket, { createWebSocketStream } from 'ws';
import { limits } from '../../protocol/limits.js';
import { challengeHeader, proveWorker } from '../../protocol/worker-proof.js';
import { dial, onceAborted } from '../network/dial.js';
import { proxyFor, targetOf, type ProxySettings } from '../network/proxies.js';
import { secure } from '../network/tls.js';
import { beginMqttSession, type MqttIdentity } from './mqtt-session.js';
import { describeFailure, type ConnectStage } from './reasons.js';
import type { Transport } from './transport.js';

export interface MqttOverWebSocketOptions {
  /** `wss://…` or `ws://…` */
  readonly url: URL;
  /** What HTTPS trusts. Asked for with the first connect: it takes memory that a worker on the broker's port saves. */
  readonly context: () => SecureContext;
  /** PEM. */
  readonly ownAuthorities: readonly string[];
  /** The pool's, PEM. */
  readonly certificate: string;
  readonly privateKey: KeyObject;
  /** Asked for each session. */
  readonly identity: () => MqttIdentity;
  readonly proxies: ProxySettings;
  /** PEM: whom a proxy may be certified by. */
  readonly authorities: () => string[];
}

export function mqttOverWebSocket(options: MqttOverWebSocketOptions): Transport {
  const { url, certificate, privateKey, ownAuthorities, identity, proxies, authorities } = options;
  const address = url.href;
  const target = targetOf(url);
  const encrypted = url.protocol === 'wss:';
  return {
    address,
    async open(signal) {
      let stage: ConnectStage = 'tcp';
      try {
        const plain = await dial(target, proxyFor(proxies, target, encrypted), signal, { authorities });
        stage = 'tls';
        const { socket: stream, judgeLater } = encrypted
          ? await secure(plain, { host: target.host, context: options.context(), ownAuthorities, signal })
          : { socket: plain, judgeLater: null };
        stage = 'websocket';
        const { webSocket, challenge } = await upgrade(url, stream, signal);
        return {
          address,
          judgeLater,
          begin(events) {
            const who = identity();
            const proof = proveWorker(certificate, privateKey, challenge, who.clientId);
            return beginMqttSession(
              createWebSocketStream(webSocket),
              address,
              { ...who, login: { username: proof.certificate, password: proof.signature } },
              events,
            );
          },
          close: () => {
            webSocket.terminate();
          },
        };
      } catch (error) {
        throw new Error(describeFailure(address, stage, error), { cause: error });
      }
    },
  };
}

/** Throws what the server answered when it was something else than the WebSocket of a control plane. */
function upgrade(
  url: URL,
  stream: Duplex,
  signal: AbortSignal,
): Promise<{ readonly webSocket: WebSocket; readonly challenge: string }> {
  return new Promise((resolve, reject) => {
    const webSocket = new WebSocket(url, 'mqtt', {
      // The type asks for a socket; what is read and written is a stream.
      createConnection: () => stream as never,
      perMessageDeflate: false,
      maxPayload: limits.message + 1024,
      followRedirects: false,
    });
    const settle = onceAborted(signal, (reason) => {
      webSocket.terminate();
      reject(reason);
    });
    let challenge = '';
    webSocket.once('upgrade', ({ headers }: IncomingMessage) => {
      challenge = String(headers[challengeHeader] ?? '');
    });
    webSocket.once('unexpected-response', (_request, { statusCode }: IncomingMessage) => {
      settle();
      stream.destroy();
      reject(new Error(`HTTP status ${String(statusCode)}`));
    });
    const fail = (error: Error) => {
      settle();
      stream.destroy();
      reject(error);
    };
    webSocket.once('error', fail);
    webSocket.once('open', () => {
      settle();
      webSocket.off('error', fail);
      if (/^[0-9a-f]{32}$/.test(challenge)) resolve({ webSocket, challenge });
      else {
        webSocket.terminate();
        reject(new Error(`the answer has no ${challengeHeader}`));
      }
    });
  });
}
