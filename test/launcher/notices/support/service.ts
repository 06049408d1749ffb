// A real HTTP server whose answers a test sets by path: what a metadata service or a cloud's API says.
import { once } from 'node:events';
import { createServer, type IncomingHttpHeaders, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

export interface Asked {
  readonly method: string;
  /** With its query. */
  readonly url: string;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
}

/** A text is answered with 200; a function answers itself. */
export type Reply =
  | string
  | { readonly status: number; readonly text: string }
  | ((asked: Asked, response: ServerResponse) => void);

export interface Service {
  readonly url: string;
  /** By "METHOD /path", without query. What is not there is answered with 404. */
  readonly replies: Map<string, Reply>;
  readonly asked: Asked[];
  close(): Promise<void>;
}

export async function startService(replies: Readonly<Record<string, Reply>> = {}): Promise<Service> {
  const service = { url: '', replies: new Map(Object.entries(replies)), asked: [] as Asked[], close };
  const server = createServer((request, response) => {
    let body = '';
    request.setEncoding('utf8');
    request.on('data', (part: string) => (body += part));
    request.on('end', () => {
      const { method = '', url = '', headers } = request;
      // A test that wants the cloud to tell the time says which.
      response.sendDate = false;
      const asked = { method, url, headers, body };
      service.asked.push(asked);
      const reply = service.replies.get(`${method} ${url.split('?')[0] ?? ''}`);
      if (reply === undefined) response.writeHead(404).end('<html>404 - Not Found</html>');
      else if (typeof reply === 'string') response.end(reply);
      else if (typeof reply === 'function') reply(asked, response);
      else response.writeHead(reply.status).end(reply.text);
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  service.url = `http://127.0.0.1:${String((server.address() as AddressInfo).port)}`;
  return service;

  async function close(): Promise<void> {
    server.closeAllConnections();
    server.close();
    await once(server, 'close');
  }
}
