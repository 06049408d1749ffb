// MQTT over TLS, the worker known by the pool's certificate. Usually port 8883.
import type { SecureContext } from 'node:tls';
import { formatBrokerEndpoint, type BrokerAddress } from '../../protocol/endpoint.js';
import { dial } from '../network/dial.js';
import { proxyFor, type ProxySettings } from '../network/proxies.js';
import { secure } from '../network/tls.js';
import { beginMqttSession, type MqttIdentity } from './mqtt-session.js';
import { describeFailure, type ConnectStage } from './reasons.js';
import type { Transport } from './transport.js';

export interface MqttOverTlsOptions {
  readonly broker: BrokerAddress;
  /** The pool's certificate and key, and the authorities that the broker's certificate may be of. */
  readonly context: SecureContext;
  /** PEM. */
  readonly ownAuthorities: readonly string[];
  /** Asked for each session. */
  readonly identity: () => MqttIdentity;
  readonly proxies: ProxySettings;
  /** PEM: whom a proxy may be certified by. */
  readonly authorities: () => string[];
}

export function mqttOverTls(options: MqttOverTlsOptions): Transport {
  const { broker, context, ownAuthorities, identity, proxies, authorities } = options;
  const address = formatBrokerEndpoint(broker);
  return {
    address,
    async open(signal) {
      let stage: ConnectStage = 'tcp';
      try {
        const stream = await dial(broker, proxyFor(proxies, broker, true), signal, { authorities });
        stage = 'tls';
        const { host } = broker;
        const { socket, judgeLater } = await secure(stream, { host, context, ownAuthorities, signal });
        return {
          address,
          judgeLater,
          begin: (events) => beginMqttSession(socket, address, identity(), events),
          close: () => socket.destroy(),
        };
      } catch (error) {
        throw new Error(describeFailure(address, stage, error), { cause: error });
      }
    },
  };
}
