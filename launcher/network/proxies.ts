// Which proxy a connection goes by: HTTPS_PROXY, HTTP_PROXY and NO_PROXY, as curl and Go programs read them.
import { PoolwrightError } from '../../protocol/errors.js';
import type { Bypass } from './no-proxy.js';

export interface Proxy {
  /** Whether the proxy itself is spoken to by TLS. */
  readonly secure: boolean;
  readonly host: string;
  readonly port: number;
  /** Value of the header Proxy-Authorization, a secret; null when the address has no user. */
  readonly authorization: string | null;
  /** The address as users may see it: without user and password. */
  readonly shown: string;
  /** The address as it was given, with user and password: for programs that read it themselves. */
  readonly address: string;
}

export interface ProxySettings {
  /** For `https` and for everything that speaks TLS, the broker among it. */
  readonly https: Proxy | null;
  /** For plain `http`. */
  readonly http: Proxy | null;
  readonly bypass: Bypass;
  /** NO_PROXY as it was given. */
  readonly noProxy: string;
}

/** No proxy for anything. */
export const withoutProxies: ProxySettings = { https: null, http: null, bypass: () => true, noProxy: '' };

export interface Target {
  /** Name or IP address, without brackets. */
  readonly host: string;
  readonly port: number;
}

const usualPorts: Readonly<Record<string, number>> = { 'http:': 80, 'ws:': 80, 'https:': 443, 'wss:': 443 };

/** Where the connection for an http, https, ws or wss address goes. */
export function targetOf({ hostname, port, protocol }: URL): Target {
  return {
    host: hostname.replace(/^\[|\]$/g, ''),
    port: port === '' ? (usualPorts[protocol] ?? 443) : Number(port),
  };
}

/** The proxy for a connection that will speak TLS (or not), or null when it goes direct. */
export function proxyFor(settings: ProxySettings, { host, port }: Target, secure: boolean): Proxy | null {
  const proxy = secure ? settings.https : settings.http;
  return proxy === null || settings.bypass(host, port) ? null : proxy;
}

/** The same settings for a program that is started, under the names that every such program reads. */
export function proxyEnvironment({ https, http, noProxy }: ProxySettings): Record<string, string> {
  return {
    ...(https === null ? {} : { HTTPS_PROXY: https.address, https_proxy: https.address }),
    ...(http === null ? {} : { HTTP_PROXY: http.address, http_proxy: http.address }),
    ...(noProxy === '' ? {} : { NO_PROXY: noProxy, no_proxy: noProxy }),
  };
}

const expected = 'expected the address of an HTTP proxy such as "http://proxy.example.com:3128"';

/**
 * `http://host:port`, `https://…`, with `user:password@` before the host, or just `host:port`; empty for none. The port
 * is 80 or 443 when it is not given. Throws INVALID_SETTINGS; the message never holds the text, which may have a password.
 */
export function readProxy(text: string): Proxy | null {
  if (text === '') return null;
  const address = /^[a-z][a-z0-9+.-]*:\/\//i.test(text) ? text : `http://${text}`;
  if (!URL.canParse(address)) throw new PoolwrightError('INVALID_SETTINGS', expected);
  const url = new URL(address);
  if (url.protocol !== 'http:' && url.protocol !== 'https:') {
    throw new PoolwrightError('INVALID_SETTINGS', `${expected}; "${url.protocol}//" is not supported`);
  }
  if ((url.pathname !== '/' && url.pathname !== '') || url.search !== '' || url.hash !== '') {
    throw new PoolwrightError('INVALID_SETTINGS', `${expected}, with nothing after the port`);
  }
  const secure = url.protocol === 'https:';
  return {
    secure,
    host: url.hostname.replace(/^\[|\]$/g, ''),
    port: url.port === '' ? (secure ? 443 : 80) : Number(url.port),
    authorization: authorizationOf(url),
    shown: `${url.protocol}//${url.host}`,
    address,
  };
}

function authorizationOf({ username, password }: URL): string | null {
  if (username === '' && password === '') return null;
  try {
    const pair = `${decodeURIComponent(username)}:${decodeURIComponent(password)}`;
    return `Basic ${Buffer.from(pair).toString('base64')}`;
  } catch {
    throw new PoolwrightError(
      'INVALID_SETTINGS',
      `${expected}; a percent sign in user or password is written as %25`,
    );
  }
}
