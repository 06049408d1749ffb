// TCP to a host and port, direct or through a proxy's CONNECT (RFC 9110, 9.3.6). What is spoken on it is the caller's.
import http from 'node:http';
import https from 'node:https';
import { connect, type Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { messageOf } from '../../protocol/errors.js';
import type { Proxy, Target } from './proxies.js';

/** A proxy did not do what it was asked for. The message is a sentence without a full stop, and says what to do. */
export class ProxyError extends Error {
  override readonly name = 'ProxyError';
}

/**
 * Opens the connection. Throws a ProxyError, the system's error with its `code`, or the signal's reason; nothing is left
 * open then.
 */
export async function dial(target: Target, proxy: Proxy | null, signal: AbortSignal): Promise<Duplex> {
  signal.throwIfAborted();
  return proxy === null ? dialDirect(target, signal) : dialProxy(target, proxy, signal);
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

function dialProxy(target: Target, proxy: Proxy, signal: AbortSignal): Promise<Duplex> {
  const authority = formatTarget(target);
  return new Promise((resolve, reject) => {
    const request = (proxy.secure ? https : http).request({
      host: proxy.host,
      port: proxy.port,
      method: 'CONNECT',
      path: authority,
      agent: false,
      headers: {
        host: authority,
        ...(proxy.authorization === null ? {} : { 'proxy-authorization': proxy.authorization }),
      },
    });
    const settle = onceAborted(signal, (reason) => {
      request.destroy();
      reject(reason);
    });
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
      reject(new ProxyError(unreachable(proxy, error), { cause: error }));
    });
    request.end();
  });
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

function unreachable(proxy: Proxy, error: Error): string {
  const code = 'code' in error && typeof error.code === 'string' ? error.code : messageOf(error);
  return `the proxy ${proxy.shown} cannot be reached (${code}); check HTTPS_PROXY, or name the host in NO_PROXY to go without it`;
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
