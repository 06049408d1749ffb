// The addresses that the services of clouds have on the internet, here: one TLS listener that hands each request on to the
// emulator or stand-in of the host that it names.
import { once } from 'node:events';
import { request as httpRequest, type RequestListener } from 'node:http';
import { createServer, request as httpsRequest } from 'node:https';
import type { AddressInfo } from 'node:net';

/** Where requests for a host go: to a program on a port of this machine, or to a listener of this process. */
export type Route =
  { readonly host?: string; readonly port: number; readonly tls?: boolean } | RequestListener;

export interface Front {
  readonly port: number;
  /** Requests that came, as `METHOD host/path`. */
  readonly requests: readonly string[];
  close(): Promise<void>;
}

export async function startFront(
  host: string,
  tls: { readonly certificate: string; readonly privateKey: string },
  route: (host: string) => Route | undefined,
): Promise<Front> {
  const requests: string[] = [];
  const server = createServer({ cert: tls.certificate, key: tls.privateKey }, (request, response) => {
    const name = (request.headers.host ?? '').split(':')[0] ?? '';
    requests.push(`${request.method ?? ''} ${name}${(request.url ?? '').split('?')[0] ?? ''}`);
    const target = route(name);
    if (target === undefined) {
      response.writeHead(404).end(`nothing is known of ${name}`);
      return;
    }
    if (typeof target === 'function') {
      target(request, response);
      return;
    }
    const send = target.tls === true ? httpsRequest : httpRequest;
    const onward = send({
      host: target.host ?? '127.0.0.1',
      port: target.port,
      method: request.method,
      path: request.url,
      headers: request.headers,
      // The one behind has the same certificate, whose names are not this address.
      ...(target.tls === true ? { rejectUnauthorized: false } : {}),
    });
    onward.on('response', (answer) => {
      response.writeHead(answer.statusCode ?? 502, answer.headers);
      answer.pipe(response);
    });
    onward.on('error', (error) => {
      response.writeHead(502).end(String(error));
    });
    request.pipe(onward);
  });
  server.listen(0, host);
  await once(server, 'listening');
  return {
    port: (server.address() as AddressInfo).port,
    requests,
    async close() {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
}
