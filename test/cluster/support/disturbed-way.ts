// A way to the API server that a test can disturb: a proxy in plain HTTP that a controller takes for it.
import { readFileSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import http from 'node:http';
import https from 'node:https';
import type { AddressInfo } from 'node:net';
import { dirname, join } from 'node:path';
import { users, type ApiServer } from './api-server.js';

export interface DisturbedWay {
  readonly kubeconfig: string;
  /** One of so many requests is answered 429 with Retry-After; 0: none. */
  tooManyOf: number;
  /** Answers of 429 until now. */
  readonly refused: () => number;
  /** Breaks all watches; the next one of each collection is answered 410 Gone. Answers how many were. */
  expireWatches(): number;
  readonly expired: () => number;
  close(): Promise<void>;
}

export async function disturbedWay(server: ApiServer): Promise<DisturbedWay> {
  const agent = new https.Agent({ keepAlive: true, ca: readFileSync(server.certificateFile) });
  const watches = new Map<http.ServerResponse, string>();
  const gone = new Set<string>();
  const counts = { requests: 0, refused: 0, expired: 0 };
  let tooManyOf = 0;

  const proxy = http.createServer((request, response) => {
    const url = request.url ?? '';
    const isWatch = url.includes('watch=true');
    const collection = url.split('?')[0] ?? '';
    counts.requests += 1;
    const answer = (status: number, reason: string, headers = {}) => {
      response.writeHead(status, { 'content-type': 'application/json', ...headers });
      response.end(
        JSON.stringify({ kind: 'Status', code: status, reason, message: `a test says ${reason}` }),
      );
    };
    if (isWatch && gone.delete(collection)) {
      counts.expired += 1;
      answer(410, 'Expired');
      return;
    }
    if (!isWatch && tooManyOf > 0 && counts.requests % tooManyOf === 0) {
      counts.refused += 1;
      request.resume();
      answer(429, 'TooManyRequests', { 'retry-after': '1' });
      return;
    }
    const onward = https.request(
      `${server.url}${url}`,
      { method: request.method, agent, headers: { ...request.headers, host: new URL(server.url).host } },
      (incoming) => {
        response.writeHead(incoming.statusCode ?? 502, incoming.headers);
        // A watch is there before anything happens.
        response.flushHeaders();
        incoming.pipe(response);
      },
    );
    onward.on('error', () => response.destroy());
    response.on('close', () => {
      watches.delete(response);
      onward.destroy();
    });
    if (isWatch) watches.set(response, collection);
    request.pipe(onward);
  });
  await new Promise<void>((resolve) => proxy.listen(0, '127.0.0.1', resolve));
  const url = `http://127.0.0.1:${String((proxy.address() as AddressInfo).port)}`;
  const kubeconfig = join(dirname(server.kubeconfig.controller), 'disturbed.json');
  await writeFile(
    kubeconfig,
    JSON.stringify({
      apiVersion: 'v1',
      kind: 'Config',
      // The client library takes plain HTTP for a mistake otherwise.
      clusters: [{ name: 'test', cluster: { server: url, 'insecure-skip-tls-verify': true } }],
      users: [{ name: 'user', user: { token: users.controller } }],
      contexts: [{ name: 'test', context: { cluster: 'test', user: 'user', namespace: 'default' } }],
      'current-context': 'test',
    }),
  );
  return {
    kubeconfig,
    get tooManyOf() {
      return tooManyOf;
    },
    set tooManyOf(next) {
      tooManyOf = next;
    },
    refused: () => counts.refused,
    expired: () => counts.expired,
    expireWatches() {
      const count = watches.size;
      for (const [response, collection] of watches) {
        gone.add(collection);
        response.destroy();
      }
      return count;
    },
    async close() {
      proxy.closeAllConnections();
      agent.destroy();
      await new Promise((resolve) => proxy.close(resolve));
    },
  };
}
