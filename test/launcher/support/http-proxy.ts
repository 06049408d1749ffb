// A real HTTP proxy: CONNECT, and plain requests in absolute form. Names under `.test` are this machine to it and to
// nobody else, so what reaches them went through it.
import http from 'node:http';
import { connect, type AddressInfo, type Socket } from 'node:net';

export interface HttpProxy {
  readonly port: number;
  /** What was asked for, such as `CONNECT broker.test:8883` or `POST http://api.test:80/worker/…`. */
  readonly asked: string[];
  /** Bytes of the body of each answer to a plain request that were passed on, in the order of the requests. */
  readonly passed: { readonly url: string; bytes: number }[];
  /** Of answers to requests for what holds `text`, no more is passed on than so many bytes; their connection stays open. */
  stall: { readonly text: string; readonly after: number } | undefined;
  /** Status that is answered in the place of doing what was asked. */
  refusal: number | undefined;
  close(): Promise<void>;
}

/** Where a name is for a proxy. */
export type Resolve = (host: string, port: number) => { readonly host: string; readonly port: number };

/** `credentials`: the `user:password` that it wants; `listen` is its own address. */
export async function startHttpProxy(
  credentials?: string,
  { listen = '127.0.0.1', resolve = here }: { readonly listen?: string; readonly resolve?: Resolve } = {},
): Promise<HttpProxy> {
  const sockets = new Set<Socket>();
  const expected =
    credentials === undefined ? undefined : `Basic ${Buffer.from(credentials).toString('base64')}`;
  const refusalOf = (request: http.IncomingMessage) =>
    proxy.refusal ??
    (expected !== undefined && request.headers['proxy-authorization'] !== expected ? 407 : undefined);
  const server = http.createServer((request, response) => {
    const url = request.url ?? '';
    proxy.asked.push(`${request.method ?? ''} ${url}`);
    const refused = refusalOf(request);
    if (refused !== undefined) {
      response.writeHead(refused, { 'proxy-authenticate': 'Basic realm="test"' }).end();
      return;
    }
    const { hostname, port, pathname, search } = new URL(url);
    const headers = { ...request.headers };
    delete headers['proxy-authorization'];
    const onward = http.request(
      {
        ...resolve(hostname, Number(port || 80)),
        method: request.method,
        path: pathname + search,
        headers,
      },
      (answer) => {
        response.writeHead(answer.statusCode ?? 502, answer.headers);
        const passed = { url, bytes: 0 };
        proxy.passed.push(passed);
        answer.on('data', (chunk: Buffer) => {
          const { text, after } = proxy.stall ?? { text: '', after: Infinity };
          const most = url.includes(text) ? after - passed.bytes : Infinity;
          const part = chunk.subarray(0, Math.max(0, most));
          passed.bytes += part.length;
          response.write(part);
          if (part.length < chunk.length) answer.removeAllListeners().on('error', () => undefined);
        });
        answer.on('end', () => response.end());
      },
    );
    onward.on('error', () => response.writeHead(502).end());
    request.pipe(onward);
  });
  server.on('connect', (request: http.IncomingMessage, inbound: Socket) => {
    proxy.asked.push(`CONNECT ${request.url ?? ''}`);
    inbound.on('error', () => undefined); // 'close' follows and ends the other side.
    const refused = refusalOf(request);
    if (refused !== undefined) {
      inbound.end(`HTTP/1.1 ${String(refused)} Refused\r\nProxy-Authenticate: Basic realm="test"\r\n\r\n`);
      return;
    }
    const [, host = '', port] = /^(.*):(\d+)$/.exec(request.url ?? '') ?? [];
    const outbound = connect(resolve(host, Number(port)), () => {
      inbound.write('HTTP/1.1 200 Connection established\r\n\r\n');
      inbound.pipe(outbound).pipe(inbound);
    });
    outbound.on('error', () => inbound.end('HTTP/1.1 502 Bad Gateway\r\n\r\n'));
    outbound.on('close', () => inbound.destroy());
    inbound.on('close', () => outbound.destroy());
  });
  server.on('connection', (socket) => {
    sockets.add(socket);
    socket.on('close', () => sockets.delete(socket));
  });
  const proxy: HttpProxy = {
    port: 0,
    asked: [],
    passed: [],
    stall: undefined,
    refusal: undefined,
    close: () =>
      new Promise((closed) => {
        for (const socket of sockets) socket.destroy();
        server.close(() => {
          closed();
        });
      }),
  };
  await new Promise<void>((listening) => server.listen(0, listen, listening));
  return Object.assign(proxy, { port: (server.address() as AddressInfo).port });
}

function here(host: string, port: number): { host: string; port: number } {
  return { host: host.endsWith('.test') ? '127.0.0.1' : host, port };
}
