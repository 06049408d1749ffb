// Where this process listens, and how others reach it.
import { hostname } from 'node:os';
import { formatBrokerEndpoint, type BrokerAddress } from '../protocol/endpoint.js';
import { webSocketPath } from '../protocol/worker-api.js';
import { addressOf } from './broker/elsewhere.js';

/** The options that say so; see ServeOptions. */
interface Listening {
  readonly listen: BrokerAddress;
  readonly brokerListen: BrokerAddress;
  readonly brokerEndpoint?: BrokerAddress | undefined;
  readonly brokerUrl?: string | undefined;
  readonly publicUrl?: string | undefined;
  readonly tls?: object | undefined;
  readonly behindProxy?: boolean;
}

export interface Addresses {
  apiPort: number;
  brokerPort: number;
  publicUrl(): string;
  brokerEndpoint(): string;
  webSocketEndpoint(): string | undefined;
}

/** How others reach this process. The ports are known once it listens. */
export function addressesOf(options: Listening): Addresses {
  const { listen, brokerListen, publicUrl, brokerUrl } = options;
  const brokerEndpoint =
    options.brokerEndpoint ?? (brokerUrl === undefined ? undefined : addressOf(brokerUrl));
  const secure = options.tls !== undefined || (options.behindProxy !== true && !isLoopback(listen.host));
  return {
    apiPort: listen.port,
    brokerPort: brokerListen.port,
    publicUrl() {
      if (publicUrl !== undefined) return publicUrl;
      const host = reachable(listen.host);
      return `${secure ? 'https' : 'http'}://${host.includes(':') ? `[${host}]` : host}:${String(this.apiPort)}`;
    },
    brokerEndpoint() {
      return formatBrokerEndpoint(
        brokerEndpoint ?? { host: reachable(brokerListen.host), port: this.brokerPort },
      );
    },
    webSocketEndpoint() {
      if (brokerUrl !== undefined) return undefined;
      return `${this.publicUrl().replace(/^http/, 'ws')}${webSocketPath}`;
    },
  };
}

/** An address that means "all of this machine" is no address for others; its name is. */
function reachable(host: string): string {
  return host === '0.0.0.0' || host === '::' ? hostname() : host;
}

export function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '::1' || /^127\./.test(host);
}

/** Names that a server certificate is for. */
export function hostsOf(...hosts: readonly (string | undefined)[]): string[] {
  return [
    ...new Set(['localhost', '127.0.0.1', ...hosts.filter((host) => host !== undefined).map(reachable)]),
  ];
}
