// The controller's small HTTP servers: probes of the kubelet, and figures for Prometheus.
import http from 'node:http';
import https from 'node:https';
import { PoolwrightError, messageOf } from '../../protocol/errors.js';

export interface HttpEndpoint {
  /** Port that it listens on. */
  readonly port: number;
  close(): void;
}

export interface HttpsEndpoint extends HttpEndpoint {
  /** For connections from now on. Throws what is wrong with it. */
  useCertificate(certificate: ServerCertificate): void;
}

export interface ServerCertificate {
  /** PEM, with what leads to its authority. */
  readonly certificate: string;
  /** PEM. */
  readonly privateKey: string;
}

interface Answer {
  readonly status: number;
  readonly type: string;
  readonly body: string;
  readonly headers?: http.OutgoingHttpHeaders;
}

/** By path. */
export type Answers = Readonly<Record<string, (request: http.IncomingMessage) => Promise<Answer>>>;

/**
 * `address`: `:8081` or `127.0.0.1:8081`; port 0 for any. With a certificate, it is HTTPS. Throws PORT_IN_USE,
 * INVALID_ARGUMENT.
 */
export function serveHttp(address: string, answers: Answers): Promise<HttpEndpoint>;
export function serveHttp(
  address: string,
  answers: Answers,
  certificate: ServerCertificate,
): Promise<HttpsEndpoint>;
export async function serveHttp(
  address: string,
  answers: Answers,
  certificate?: ServerCertificate,
): Promise<HttpsEndpoint> {
  const match = /^(.*):(\d{1,5})$/.exec(address);
  if (match === null)
    throw new PoolwrightError('INVALID_ARGUMENT', `Expected an address such as ":8081", got ${address}.`);
  const [, host = '', port = ''] = match;
  const listener: http.RequestListener = (request, response) => {
    const answer = answers[(request.url ?? '').split('?')[0] ?? ''];
    if (answer === undefined) {
      response.writeHead(404).end();
      return;
    }
    answer(request).then(
      ({ status, type, body, headers }) => {
        response.writeHead(status, { 'content-type': type, ...headers }).end(body);
      },
      (error: unknown) => {
        response.writeHead(500).end(messageOf(error));
      },
    );
  };
  const encrypted =
    certificate === undefined
      ? undefined
      : https.createServer({ ...tlsOf(certificate), minVersion: 'TLSv1.2' }, listener);
  const server = encrypted ?? http.createServer(listener);
  await new Promise<void>((resolve, reject) => {
    server.once('error', (error) => {
      reject(new PoolwrightError('PORT_IN_USE', `Nothing can listen on ${address}: ${messageOf(error)}.`));
    });
    server.listen(Number(port), host === '' ? undefined : host, resolve);
  });
  const bound = server.address();
  return {
    port: typeof bound === 'object' && bound !== null ? bound.port : 0,
    useCertificate(next) {
      encrypted?.setSecureContext({ ...tlsOf(next), minVersion: 'TLSv1.2' });
    },
    close() {
      server.closeAllConnections();
      server.close();
    },
  };
}

const tlsOf = ({ certificate, privateKey }: ServerCertificate) => ({ cert: certificate, key: privateKey });
