// TCP to a host and port, direct or through a proxy's CONNECT (RFC 9110, 9.3.6). What is spoken on it is the caller's.
import http from 'node:http';
import https from 'node:https';
import { connect, isIP, type Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { messageOf } from '../../protocol/errors.js';
import type { Proxy, Target } from './proxies.js';

/** A proxy did not do what it was asked for. The message is a sentence without a full stop, and says what to do. */
export class ProxyError extends Error {
  override readonly name = 'ProxyError';
}

export interface DialOptions {
  /** PEM: whose certificates are taken of a proxy that is spoken to by TLS. Default: what the runtime trusts. */
  readonly authorities?: () => string[];
  /** Milliseconds for a proxy's answer. Default: less than any caller waits, so that the proxy is said to be the cause. */
  readonly patience?: number;
}

/**
 * Opens the connection. Throws a ProxyError, the system's error with its `code`, or the signal's reason; nothing is left
 * open then.
 */
export async function dial(
  target: Target,
  proxy: Proxy | null,
  signal: AbortSignal,
  options: DialOptions = {},
): Promise<Duplex> {
  signal.throwIfAborted();
  return proxy === null ? dialDirect(target, signal) : dialProxy(target, proxy, signal, options);
}

function dialDirect({ host, port }: Target, signal: AbortSignal): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = connect({ host, port });
    // Short messages, each waiting for its answer: nothing to collect.
    socket.setNoDelay(true);
    const settle = onceAborted(signal, (reason) => {
      socket.destroy();
      reject(reason);
    });
    const onError = (error: Error) => {
      settle();
      reject(error);
    };
    socket.once('error', onError);
    socket.once('connect', () => {
      settle();
      socket.off('error', onError);
      resolve(socket);
    });
  });
}

function dialProxy(
  target: Target,
  proxy: Proxy,
  signal: AbortSignal,
  { authorities, patience = 8_000 }: DialOptions,
): Promise<Duplex> {
  const authority = formatTarget(target);
  return new Promise((resolve, reject) => {
    const request = (proxy.secure ? https : http).request({
      host: proxy.host,
      port: proxy.port,
      method: 'CONNECT',
      path: authority,
      agent: false,
      ...tlsToProxy(proxy, authorities),
      headers: {
        host: authority,
        ...(proxy.authorization === null ? {} : { 'proxy-authorization': proxy.authorization }),
      },
    });
    const timer = setTimeout(() => {
      const within = `within ${String(patience / 1000)} s`;
      giveUp(new ProxyError(`the proxy ${proxy.shown} does not answer a CONNECT to ${authority} ${within}`));
    }, patience);
    const giveUp = (reason: Error) => {
      settle();
      request.destroy();
      reject(reason);
    };
    const forget = onceAborted(signal, giveUp);
    const settle = () => {
      clearTimeout(timer);
      forget();
    };
    request.once('connect', (response, socket, head) => {
      settle();
      const status = response.statusCode ?? 0;
      if (status >= 200 && status < 300) {
        if (head.length > 0) socket.unshift(head);
        socket.setNoDelay(true);
        resolve(socket);
        return;
      }
      socket.destroy();
      reject(new ProxyError(refusal(proxy, authority, status)));
    });
    request.on('error', (error) => {
      settle();
      reject(new ProxyError(noAnswer(proxy, error), { cause: error }));
    });
    request.end();
  });
}

/** For a request to a proxy that is spoken to by TLS; `authorities` in PEM. */
export function tlsToProxy(
  { secure, host }: Proxy,
  authorities: (() => string[]) | undefined,
): { readonly servername?: string; readonly ca?: string[] } {
  if (!secure) return {};
  return {
    // Else the runtime takes the name that the certificate must have from the header Host, which is the target's.
    servername: isIP(host) === 0 ? host : '',
    ...(authorities === undefined ? {} : { ca: authorities() }),
  };
}

/** Calls back when the signal is aborted. Gives a function after which it no longer does. */
export function onceAborted(signal: AbortSignal, callback: (reason: Error) => void): () => void {
  const onAbort = () => {
    callback(signal.reason as Error);
  };
  signal.addEventListener('abort', onAbort, { once: true });
  return () => {
    signal.removeEventListener('abort', onAbort);
  };
}

function formatTarget({ host, port }: Target): string {
  return `${host.includes(':') ? `[${host}]` : host}:${String(port)}`;
}

function noAnswer(proxy: Proxy, error: Error): string {
  const code = 'code' in error && typeof error.code === 'string' ? error.code : messageOf(error);
  const named = `the proxy ${proxy.shown}`;
  if (code.startsWith('HPE_'))
    return `${named} does not answer in HTTP (${code}); does HTTPS_PROXY name its port, and https:// only where it speaks TLS?`;
  if (code === 'EPROTO' || code.startsWith('ERR_SSL_'))
    return `${named} does not speak TLS as expected (${code}); is it meant to be http:// in HTTPS_PROXY?`;
  if (code === 'ERR_TLS_CERT_ALTNAME_INVALID')
    return `the certificate of ${named} is not for ${proxy.host}; HTTPS_PROXY must have the name that is in it`;
  if (code === 'CERT_HAS_EXPIRED' || code === 'CERT_NOT_YET_VALID')
    return `the certificate of ${named} is not valid now by this machine's clock (${code})`;
  if (/CERT|VERIFY/.test(code))
    return `the certificate of ${named} is not taken (${code}); name its authority's file in NODE_EXTRA_CA_CERTS or SSL_CERT_FILE`;
  if (code === 'ECONNRESET')
    return `${named} closed the connection without an answer (${code}); check HTTPS_PROXY, and what the proxy's own log says`;
  return `${named} cannot be reached (${code}); check HTTPS_PROXY, or name the host in NO_PROXY to go without it`;
}

function refusal(proxy: Proxy, authority: string, status: number): string {
  const answered = `the proxy ${proxy.shown} answered a CONNECT to ${authority} with status ${String(status)}`;
  switch (status) {
    case 407:
      return proxy.authorization === null
        ? `${answered}: it wants a user and a password; give them in HTTPS_PROXY as http://user:password@host:port`
        : `${answered}: it does not take the user and password in HTTPS_PROXY`;
    case 403:
    case 405:
      return `${answered}: its rules must allow CONNECT to this host and port`;
    case 502:
    case 503:
    case 504:
      return `${answered}: it cannot reach that host itself`;
    default:
      return answered;
  }
}
