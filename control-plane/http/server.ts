// The one HTTP listener: API, pages, uploads, worker API.
import { createServer as createHttpServer, type IncomingMessage, type Server } from 'node:http';
import { createServer as createHttpsServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import type { Duplex } from 'node:stream';
import { getRequestListener } from '@hono/node-server';
import type { Hono } from 'hono';
import { PoolwrightError } from '../../protocol/errors.js';
import type { ServerEnvironment } from './body.js';

export interface HttpServerOptions {
  readonly host: string;
  /** 0: any free one. */
  readonly port: number;
  /** PEM. Not given: plain HTTP. */
  readonly tls?: { readonly certificate: string; readonly key: string };
  /** Gets requests for another protocol, such as a WebSocket. Not given: they are refused. */
  readonly onUpgrade?: (request: IncomingMessage, socket: Duplex, head: Buffer) => void;
}

export interface HttpServer {
  readonly port: number;
  /** Lets requests finish for a moment, then ends every connection. */
  close(): Promise<void>;
}

/** How long requests may go on after the server was told to close, in milliseconds. */
const patience = 2000;

/** Starts to listen. Throws PORT_IN_USE. */
export async function startHttpServer(
  app: Hono<ServerEnvironment>,
  { host, port, tls, onUpgrade }: HttpServerOptions,
): Promise<HttpServer> {
  const listener = getRequestListener(app.fetch);
  const handle: Parameters<typeof createHttpServer>[1] = (request, response) =>
    void listener(request, response);
  const server: Server =
    tls === undefined
      ? createHttpServer(handle)
      : createHttpsServer({ cert: tls.certificate, key: tls.key, minVersion: 'TLSv1.2' }, handle);
  if (onUpgrade !== undefined) server.on('upgrade', onUpgrade);
  // Workspaces take as long as they take; what is not said within a minute is not going to be said.
  server.requestTimeout = 0;
  server.headersTimeout = 60_000;
  server.keepAliveTimeout = 65_000;
  await new Promise<void>((resolve, reject) => {
    server.once('error', (error: NodeJS.ErrnoException) => {
      reject(
        error.code === 'EADDRINUSE'
          ? new PoolwrightError(
              'PORT_IN_USE',
              `Another program listens on ${host}:${String(port)}. Give API and pages another address with --listen.`,
            )
          : error,
      );
    });
    server.listen(port, host, () => {
      resolve();
    });
  });
  return {
    port: (server.address() as AddressInfo).port,
    async close() {
      const closed = new Promise<void>((resolve) =>
        server.close(() => {
          resolve();
        }),
      );
      server.closeIdleConnections();
      const timer = setTimeout(() => {
        server.closeAllConnections();
      }, patience);
      await closed;
      clearTimeout(timer);
    },
  };
}
