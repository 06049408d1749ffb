// The health of this worker and its figures for programs on the same machine: GET /health and GET /metrics on the
// loopback address, and nothing else.
import { createServer } from 'node:http';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { messageOf, PoolwrightError } from '../../protocol/errors.js';
import type { HealthState } from './watch.js';

export interface HealthEndpoint {
  readonly port: number;
  close(): void;
}

/**
 * Answers 200 or 503 and a JSON object: the state, and `ApplicationHealthState`, which is what the Application Health
 * extension of Azure reads (docs/azure.md). `metrics` gives lines in Prometheus' text format. Throws PORT_IN_USE.
 */
export async function startHealthEndpoint(
  port: number,
  state: () => HealthState,
  metrics: () => string = () => '',
): Promise<HealthEndpoint> {
  const server = createServer((request, response) => {
    const path = (request.url ?? '').split('?')[0];
    const reads = request.method === 'GET' || request.method === 'HEAD';
    if (path === '/metrics' && reads) {
      response.writeHead(200, { 'content-type': 'text/plain; version=0.0.4; charset=utf-8' }).end(metrics());
      return;
    }
    if (path !== '/health' || !reads) {
      response
        .writeHead(404, { 'content-type': 'application/json' })
        .end('{"error":"ask for GET /health or GET /metrics"}\n');
      return;
    }
    const now = state();
    const body = { ...now, ApplicationHealthState: now.healthy ? 'Healthy' : 'Unhealthy' };
    response
      .writeHead(now.healthy ? 200 : 503, { 'content-type': 'application/json', 'cache-control': 'no-store' })
      .end(`${JSON.stringify(body)}\n`);
  });
  // Whoever asks does so once; a client that keeps its connection must not keep the launcher from ending.
  server.keepAliveTimeout = 1_000;
  server.listen(port, '127.0.0.1');
  try {
    await once(server, 'listening');
  } catch (error) {
    throw new PoolwrightError(
      'PORT_IN_USE',
      `The health endpoint cannot listen on 127.0.0.1:${String(port)} (${messageOf(error)}). ` +
        'Choose another port with POOLWRIGHT_HEALTH_PORT.',
    );
  }
  return {
    port: (server.address() as AddressInfo).port,
    close() {
      server.close();
      server.closeAllConnections();
    },
  };
}
