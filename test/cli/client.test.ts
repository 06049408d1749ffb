import { createServer, type IncomingMessage } from 'node:http';
import { createServer as createSecureServer } from 'node:https';
import type { AddressInfo, Server } from 'node:net';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { describe, expect, it, onTestFinished } from 'vitest';
import { z } from 'zod';
import { createApiClient } from '../../control-plane/cli/api/client.js';
import { createHttpClient } from '../../control-plane/cli/api/http.js';
import { createAuthority, issueServerCertificate } from '../../protocol/certificates.js';
import { temporaryFolder } from './support/folder.js';

async function portOf(server: Server): Promise<number> {
  server.listen(0, '127.0.0.1');
  await new Promise((resolve) => server.once('listening', resolve));
  onTestFinished(() => {
    server.close();
  });
  return (server.address() as AddressInfo).port;
}

async function bodyOf(request: IncomingMessage): Promise<string> {
  let text = '';
  for await (const chunk of request) text += String(chunk);
  return text;
}

/** A server that counts sign-ins and answers everything else with `answer`, given the bearer token. */
async function apiServer(answer: (bearer: string | undefined) => unknown, validFor = 3600) {
  let signIns = 0;
  const server = createServer((request, response) => {
    void bodyOf(request).then((text) => {
      if (!text.includes('apiKeyUser')) {
        response.end(JSON.stringify(answer(request.headers.authorization)));
        return;
      }
      signIns += 1;
      const right = text.includes('right-secret');
      const jwt = { jwt: `session-${String(signIns)}`, validUntil: Math.floor(Date.now() / 1000) + validFor };
      const refusal = { data: null, errors: [{ message: 'unauthorized' }] };
      response.end(JSON.stringify(right ? { data: { apiKeyUser: jwt } } : refusal));
    });
  });
  const endpoint = `http://127.0.0.1:${String(await portOf(server))}`;
  return { endpoint, signIns: () => signIns };
}

const viewer = z.object({ viewer: z.object({ id: z.string() }) });

async function clientOf(endpoint: string, apiKeySecret = 'right-secret') {
  const http = await createHttpClient();
  onTestFinished(() => {
    http.close();
  });
  return createApiClient({ endpoint, apiKeyId: 'key', apiKeySecret }, http);
}

describe('the API client', () => {
  it('signs in once for several requests', async () => {
    const server = await apiServer((bearer) => ({ data: { viewer: { id: bearer } } }));
    const client = await clientOf(server.endpoint);
    for (let count = 0; count < 3; count += 1) {
      expect(await client.request('query { viewer { id } }', {}, viewer)).toEqual({
        viewer: { id: 'Bearer session-1' },
      });
    }
    expect(server.signIns()).toBe(1);
  });

  it('signs in anew when its session is about to end', async () => {
    const server = await apiServer(() => ({ data: { viewer: { id: 'x' } } }), 10);
    const client = await clientOf(server.endpoint);
    await client.request('query { viewer { id } }', {}, viewer);
    await client.request('query { viewer { id } }', {}, viewer);
    expect(server.signIns()).toBe(2);
  });

  it('signs in anew, once, when the server does not know its session any more', async () => {
    const server = await apiServer((bearer) =>
      bearer === 'Bearer session-1' && server.signIns() > 0 && known
        ? { errors: [{ message: 'unauthorized' }] }
        : { data: { viewer: { id: 'x' } } },
    );
    let known = false;
    const client = await clientOf(server.endpoint);
    await client.request('query { viewer { id } }', {}, viewer);
    known = true;
    await client.request('query { viewer { id } }', {}, viewer);
    expect(server.signIns()).toBe(2);
  });

  it('says so, without the secret, when the key is wrong', async () => {
    const server = await apiServer(() => ({}));
    const client = await clientOf(server.endpoint, 'wrong-secret');
    const refused = await client
      .request('query { viewer { id } }', {}, viewer)
      .catch((error: unknown) => error);
    expect(refused).toMatchObject({ code: 'UNAUTHORIZED' });
    expect(String(refused)).toContain('does not accept the API key key');
    expect(String(refused)).not.toContain('wrong-secret');
  });

  it("passes the server's error on with its code", async () => {
    const server = await apiServer(() => ({
      errors: [{ message: 'no such pool', extensions: { code: 'NOT_FOUND' } }],
    }));
    const client = await clientOf(server.endpoint);
    await expect(client.request('query { viewer { id } }', {}, viewer)).rejects.toMatchObject({
      code: 'NOT_FOUND',
      message: 'no such pool',
    });
  });

  it('asks about versions when the answer has another shape', async () => {
    const server = await apiServer(() => ({ data: { viewer: {} } }));
    const client = await clientOf(server.endpoint);
    await expect(client.request('query { viewer { id } }', {}, viewer)).rejects.toThrow(
      /viewer\.id.*versions/,
    );
  });

  it('says that nothing answers, and where', async () => {
    const server = createServer();
    const port = await portOf(server);
    await new Promise((resolve) => server.close(resolve));
    const client = await clientOf(`http://127.0.0.1:${String(port)}`);
    await expect(client.request('query { viewer { id } }', {}, viewer)).rejects.toThrow(
      `No answer from http://127.0.0.1:${String(port)} (ECONNREFUSED)`,
    );
  });
});

describe('the HTTP client', () => {
  it("trusts an endpoint's own authority when its certificate is named, and only then", async () => {
    const authority = await createAuthority({ now: Date.now() });
    const { certificate, privateKey } = await issueServerCertificate({
      authority,
      hosts: ['127.0.0.1'],
      now: Date.now(),
    });
    const server = createSecureServer({ cert: certificate, key: privateKey }, (_request, response) =>
      response.end('hello'),
    );
    const url = `https://127.0.0.1:${String(await portOf(server))}/`;
    const caFile = join(await temporaryFolder(), 'ca.pem');
    await writeFile(caFile, authority.certificate);
    const trusting = await createHttpClient(caFile);
    onTestFinished(() => {
      trusting.close();
    });
    expect(await trusting.send({ method: 'GET', url, headers: {} })).toEqual({ status: 200, text: 'hello' });
    const wary = await createHttpClient();
    await expect(wary.send({ method: 'GET', url, headers: {} })).rejects.toThrow(/--ca-file/);
  });

  it('gives the answer of a server that refuses an upload early', async () => {
    const server = createServer((_request, response) => {
      response.writeHead(413, { connection: 'close' }).end('too large');
    });
    const url = `http://127.0.0.1:${String(await portOf(server))}/`;
    const http = await createHttpClient();
    onTestFinished(() => {
      http.close();
    });
    const body = Readable.from(
      (function* () {
        for (let count = 0; count < 100; count += 1) yield Buffer.alloc(64 * 1024);
      })(),
    );
    expect(await http.send({ method: 'PUT', url, headers: {}, body })).toEqual({
      status: 413,
      text: 'too large',
    });
  });
});
