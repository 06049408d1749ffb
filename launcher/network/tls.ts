// TLS on a connection that is open already, and whom it trusts.
import { X509Certificate } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { isIP } from 'node:net';
import type { Duplex } from 'node:stream';
import { connect, rootCertificates, type SecureContext, type TLSSocket } from 'node:tls';
import { onceAborted } from './dial.js';

export interface TlsOptions {
  readonly host: string;
  readonly context: SecureContext;
  /**
   * PEM: authorities of the control plane itself. A certificate that one of them has issued directly, and that is not
   * valid by this machine's clock, is let through to be judged by the control plane's clock.
   */
  readonly ownAuthorities: readonly string[];
  readonly signal: AbortSignal;
}

export interface SecureStream {
  readonly socket: TLSSocket;
  /** Unix milliseconds between which the certificate is valid, when this machine's clock is not between them. */
  readonly judgeLater: Validity | null;
}

export interface Validity {
  readonly from: number;
  readonly to: number;
}

const wrongTime = new Set(['CERT_NOT_YET_VALID', 'CERT_HAS_EXPIRED']);

/**
 * Shakes hands as a client. Throws the handshake's error with its `code`, or the signal's reason; the stream is closed
 * then.
 */
export function secure(stream: Duplex, options: TlsOptions): Promise<SecureStream> {
  const { host } = options;
  return new Promise((resolve, reject) => {
    const socket = connect({
      socket: stream,
      host,
      secureContext: options.context,
      // Judged below, before a byte is sent: the runtime cannot leave out the dates alone.
      rejectUnauthorized: false,
      // Server name indication is for names only.
      ...(isIP(host) === 0 ? { servername: host } : {}),
    });
    const settle = onceAborted(options.signal, (reason) => {
      socket.destroy();
      stream.destroy();
      reject(reason);
    });
    const fail = (error: Error) => {
      settle();
      socket.destroy();
      stream.destroy();
      reject(error);
    };
    const onClose = () => {
      fail(codedError('ECONNRESET', 'the connection was closed'));
    };
    socket.once('error', fail);
    socket.once('close', onClose);
    socket.once('secureConnect', () => {
      settle();
      socket.off('close', onClose);
      const judgeLater = socket.authorized ? null : validityOfOwn(socket, options);
      if (judgeLater === undefined) {
        // The type says Error; the runtime gives the code.
        const code = String(socket.authorizationError);
        fail(codedError(code, code));
        return;
      }
      socket.off('error', fail);
      resolve({ socket, judgeLater });
    });
  });
}

/** Undefined when more than the dates is wrong. */
function validityOfOwn(socket: TLSSocket, { host, ownAuthorities }: TlsOptions): Validity | undefined {
  if (!wrongTime.has(String(socket.authorizationError))) return undefined;
  const certificate = socket.getPeerX509Certificate();
  if (certificate === undefined || certificate.ca) return undefined;
  const named = isIP(host) === 0 ? certificate.checkHost(host) : certificate.checkIP(host);
  const own = ownAuthorities.some((pem) => {
    const authority = new X509Certificate(pem);
    return certificate.checkIssued(authority) && certificate.verify(authority.publicKey);
  });
  if (named === undefined || !own) return undefined;
  return { from: Date.parse(certificate.validFrom), to: Date.parse(certificate.validTo) };
}

function codedError(code: string, message: string): Error {
  return Object.assign(new Error(message), { code });
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
