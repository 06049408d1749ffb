// The ways to the control plane that a token names.
import type { KeyObject } from 'node:crypto';
import { createSecureContext, type SecureContext } from 'node:tls';
import { parseBrokerEndpoint, parseWebSocketEndpoint } from '../../protocol/endpoint.js';
import type { PoolToken } from '../../protocol/token.js';
import { downTopic, upTopic } from '../../protocol/topics.js';
import type { ProxySettings } from '../network/proxies.js';
import { mqttOverTls } from './mqtt-over-tls.js';
import { mqttOverWebSocket } from './mqtt-over-websocket.js';
import type { Transport } from './transport.js';

export interface TransportOptions {
  readonly token: PoolToken;
  readonly privateKey: KeyObject;
  /** ULID of the worker that connects, or of the line that workers share. Asked for each session. */
  readonly client: () => string;
  readonly proxies: ProxySettings;
  /** PEM: what HTTPS trusts. Asked for when it is needed. */
  readonly authorities: () => string[];
  /** Of token and key, where many workers of a process share them. Default: made from the two. */
  readonly context?: SecureContext;
}

/** In the order in which they are tried. */
export function createTransports(options: TransportOptions): readonly Transport[] {
  const { token, privateKey, proxies, authorities } = options;
  const identity = () => {
    const clientId = options.client();
    const { pool } = token;
    return { clientId, upTopic: upTopic(pool, clientId), downTopic: downTopic(pool, clientId) };
  };
  const overTls = mqttOverTls({
    broker: parseBrokerEndpoint(token.broker.endpoint),
    context:
      options.context ??
      createSecureContext({
        cert: token.certificate,
        key: privateKey.export({ type: 'pkcs8', format: 'pem' }),
        ca: [...token.authorities],
        minVersion: 'TLSv1.2',
      }),
    ownAuthorities: token.authorities,
    identity,
    proxies,
    authorities,
  });
  if (token.broker.webSocket === undefined) return [overTls];
  let context: SecureContext | undefined;
  const overWebSocket = mqttOverWebSocket({
    url: parseWebSocketEndpoint(token.broker.webSocket),
    context: () => (context ??= createSecureContext({ ca: authorities(), minVersion: 'TLSv1.2' })),
    certificate: token.certificate,
    privateKey,
    ownAuthorities: token.authorities,
    identity,
    proxies,
    authorities,
  });
  return [overTls, overWebSocket];
}
