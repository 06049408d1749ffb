// TLS on a connection that is open already, and whom it trusts.
import { readFileSync } from 'node:fs';
import { isIP } from 'node:net';
import type { Duplex } from 'node:stream';
import { connect, rootCertificates, type SecureContext, type TLSSocket } from 'node:tls';
import { onceAborted } from './dial.js';

/**
 * Shakes hands as a client. Throws the handshake's error with its `code`, or the signal's reason; the stream is closed
 * then.
 */
export function secure(
  stream: Duplex,
  {
    host,
    context,
    signal,
  }: { readonly host: string; readonly context: SecureContext; readonly signal: AbortSignal },
): Promise<TLSSocket> {
  return new Promise((resolve, reject) => {
    const socket = connect({
      socket: stream,
      host,
      secureContext: context,
      // Server name indication is for names only.
      ...(isIP(host) === 0 ? { servername: host } : {}),
    });
    const settle = onceAborted(signal, (reason) => {
      socket.destroy();
      stream.destroy();
      reject(reason);
    });
    const fail = (error: Error) => {
      settle();
      stream.destroy();
      reject(error);
    };
    const onClose = () => {
      fail(Object.assign(new Error('the connection was closed'), { code: 'ECONNRESET' }));
    };
    socket.once('error', fail);
    socket.once('close', onClose);
    socket.once('secureConnect', () => {
      settle();
      socket.off('error', fail);
      socket.off('close', onClose);
      resolve(socket);
    });
  });
}

/**
 * Certificates (PEM) that HTTPS trusts: those of the runtime, the pool's own, and those in the files that
 * NODE_EXTRA_CA_CERTS and SSL_CERT_FILE name. A file that cannot be read throws the system's error.
 */
export function trustedCertificates(
  own: readonly string[],
  environment: Readonly<Record<string, string | undefined>>,
): string[] {
  const files = new Set([environment['NODE_EXTRA_CA_CERTS'] ?? '', environment['SSL_CERT_FILE'] ?? '']);
  files.delete('');
  return [...rootCertificates, ...own, ...[...files].map((file) => readFileSync(file, 'utf8'))];
}
