// The controller's small HTTP servers: probes of the kubelet, and figures for Prometheus.
import http from 'node:http';
import { PoolwrightError, messageOf } from '../../protocol/errors.js';

export interface HttpEndpoint {
  /** Port that it listens on. */
  readonly port: number;
  close(): void;
}

export type Answers = Readonly<Record<string, () => Promise<{ status: number; type: string; body: string }>>>;

/** `address`: `:8081` or `127.0.0.1:8081`; port 0 for any. Throws PORT_IN_USE, INVALID_ARGUMENT. */
export async function serveHttp(address: string, answers: Answers): Promise<HttpEndpoint> {
  const match = /^(.*):(\d{1,5})$/.exec(address);
  if (match === null)
    throw new PoolwrightError('INVALID_ARGUMENT', `Expected an address such as ":8081", got ${address}.`);
  const [, host = '', port = ''] = match;
  const server = http.createServer((request, response) => {
    const answer = answers[(request.url ?? '').split('?')[0] ?? ''];
    if (answer === undefined) {
      response.writeHead(404).end();
      return;
    }
    answer().then(
      ({ status, type, body }) => {
        response.writeHead(status, { 'content-type': type }).end(body);
      },
      (error: unknown) => {
        response.writeHead(500).end(messageOf(error));
      },
    );
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', (error) => {
      reject(new PoolwrightError('PORT_IN_USE', `Nothing can listen on ${address}: ${messageOf(error)}.`));
    });
    server.listen(Number(port), host === '' ? undefined : host, resolve);
  });
  const bound = server.address();
  return {
    port: typeof bound === 'object' && bound !== null ? bound.port : 0,
    close() {
      server.closeAllConnections();
      server.close();
    },
  };
}
