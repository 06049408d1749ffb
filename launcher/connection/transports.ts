// The ways to the control plane that a token names.
import type { KeyObject } from 'node:crypto';
import { createSecureContext } from 'node:tls';
import { parseBrokerEndpoint } from '../../protocol/endpoint.js';
import type { PoolToken } from '../../protocol/token.js';
import { downTopic, upTopic } from '../../protocol/topics.js';
import type { ProxySettings } from '../network/proxies.js';
import { mqttOverTls } from './mqtt-over-tls.js';
import type { Transport } from './transport.js';

export interface TransportOptions {
  readonly token: PoolToken;
  readonly privateKey: KeyObject;
  /** ULID of the worker that connects. */
  readonly worker: string;
  readonly proxies: ProxySettings;
}

export function createTransport({ token, privateKey, worker, proxies }: TransportOptions): Transport {
  return mqttOverTls({
    broker: parseBrokerEndpoint(token.broker.endpoint),
    context: createSecureContext({
      cert: token.certificate,
      key: privateKey.export({ type: 'pkcs8', format: 'pem' }),
      ca: [...token.authorities],
      minVersion: 'TLSv1.2',
    }),
    identity: {
      clientId: worker,
      upTopic: upTopic(token.pool, worker),
      downTopic: downTopic(token.pool, worker),
    },
    proxies,
  });
}
