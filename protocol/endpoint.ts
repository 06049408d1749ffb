// The broker's address as users and tokens write it.
import { isIP } from 'node:net';
import { PoolwrightError } from './errors.js';

export interface BrokerAddress {
  /** Host name or IP address, without brackets. */
  readonly host: string;
  readonly port: number;
}

const defaultPort = 8883;
const encrypted = new Set(['ssl', 'tls', 'mqtts']);

/**
 * Reads `ssl://host:port`, the same with `tls://` or `mqtts://`, `host:port` or `host` (port 8883).
 * IPv6 addresses stand in brackets. Throws INVALID_ARGUMENT.
 */
export function parseBrokerEndpoint(text: string): BrokerAddress {
  const match =
    /^(?:([a-z][a-z0-9+.-]{0,15}):\/\/)?(\[[0-9a-f:.]+\]|[^\s:/[\]@?#]+)(?::(\d{1,5}))?\/?$/i.exec(
      text.trim(),
    );
  const [, scheme, host, port] = match ?? [];
  if (host === undefined) {
    throw wrong('an address like "ssl://broker.example.com:8883"', text);
  }
  if (scheme !== undefined && !encrypted.has(scheme.toLowerCase())) {
    throw wrong('the scheme ssl, tls or mqtts (workers connect by MQTT over TLS)', text);
  }
  const address = {
    host: host.replace(/^\[|\]$/g, ''),
    port: port === undefined ? defaultPort : Number(port),
  };
  if (address.port < 1 || address.port > 65_535) throw wrong('a port between 1 and 65535', text);
  if (host.startsWith('[') ? isIP(address.host) !== 6 : !isHostName(host)) {
    throw wrong('a host name or an IP address', text);
  }
  return address;
}

/** The form that tokens hold: `ssl://host:port`. */
export function formatBrokerEndpoint({ host, port }: BrokerAddress): string {
  return `ssl://${host.includes(':') ? `[${host}]` : host}:${String(port)}`;
}

/**
 * The address of MQTT over WebSocket: `wss://host[:port]/path`, or `ws://` where a machine talks to itself. Throws
 * INVALID_ARGUMENT.
 */
export function parseWebSocketEndpoint(text: string): URL {
  const expected = 'an address like "wss://pools.example.com/worker/v1/mqtt"';
  if (!URL.canParse(text)) throw wrong(expected, text);
  const url = new URL(text);
  if (url.protocol !== 'wss:' && url.protocol !== 'ws:') throw wrong(expected, text);
  if (url.username !== '' || url.password !== '' || url.hash !== '') {
    throw wrong('an address without user, password and fragment', `${url.protocol}//${url.host}`);
  }
  return url;
}

function isHostName(host: string): boolean {
  return (
    host.length <= 253 &&
    host.split('.').every((label) => /^[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?$/i.test(label))
  );
}

function wrong(expected: string, text: string): PoolwrightError {
  return new PoolwrightError(
    'INVALID_ARGUMENT',
    `Expected ${expected}, got ${JSON.stringify(text.slice(0, 200))}`,
  );
}
