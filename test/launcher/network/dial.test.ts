// Connections through proxies that do not do as they should: each ends in time, with the proxy as its cause.
import { once } from 'node:events';
import { createServer, connect, type AddressInfo, type Server, type Socket } from 'node:net';
import { createServer as createTlsServer } from 'node:tls';
import { describe, expect, it, onTestFinished } from 'vitest';
import { dial } from '../../../launcher/network/dial.js';
import { createHttpClient } from '../../../launcher/network/http-client.js';
import { readNoProxy } from '../../../launcher/network/no-proxy.js';
import { readProxy } from '../../../launcher/network/proxies.js';
import { createAuthority, issueServerCertificate } from '../../../protocol/certificates.js';
import { startHttpProxy } from '../support/http-proxy.js';
import { until } from '../support/until.js';

const target = { host: 'broker.test', port: 8883 };
const signal = AbortSignal.timeout(60_000);

async function listening(server: Server): Promise<number> {
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  onTestFinished(() => {
    server.close();
  });
  return (server.address() as AddressInfo).port;
}

/** A proxy that does with each connection what it is told. */
async function proxyThat(serve: (socket: Socket) => void): Promise<{ port: number; sockets: Socket[] }> {
  const sockets: Socket[] = [];
  const port = await listening(
    createServer((socket) => {
      sockets.push(socket);
      socket.on('error', () => undefined);
      serve(socket);
      // Read to its end, so that the end is heard of.
      socket.resume();
    }),
  );
  onTestFinished(() => {
    for (const socket of sockets) socket.destroy();
  });
  return { port, sockets };
}
const secret = 'geheim-42';
const at = (port: number, scheme = 'http') => readProxy(`${scheme}://me:${secret}@127.0.0.1:${String(port)}`);

describe('a proxy', () => {
  it('may answer in pieces, and with the first bytes of the other side right behind', async () => {
    const { port } = await proxyThat((socket) => {
      socket.once('data', () => {
        const parts = ['HTTP/1.1 20', '0 Connection', ' established\r\nX: y\r\n', '\r\nfirst', ' bytes'];
        const next = (): void => {
          const part = parts.shift();
          if (part !== undefined) socket.write(part, () => setTimeout(next, 10));
        };
        next();
      });
    });
    const stream = await dial(target, at(port), signal);
    let heard = '';
    stream.on('data', (bytes: Buffer) => (heard += bytes.toString()));
    await until(() => heard === 'first bytes', 'what came behind the answer');
    stream.destroy();
  });

  it.each<[string, (socket: Socket) => void, RegExp]>([
    ['does not answer', () => undefined, /does not answer a CONNECT to broker\.test:8883 within 0\.2 s$/],
    [
      'answers in part only',
      (socket) => socket.write('HTTP/1.1 200 Conn'),
      /does not answer a CONNECT to broker\.test:8883 within 0\.2 s$/,
    ],
    [
      'closes',
      (socket) => socket.once('data', () => socket.end()),
      /closed the connection without an answer/,
    ],
    [
      'speaks something else',
      (socket) => socket.once('data', () => socket.end('SSH-2.0-OpenSSH_9.2\r\n')),
      /does not answer in HTTP \(HPE_\w+\); does HTTPS_PROXY name its port/,
    ],
    [
      'refuses with a page that has no end',
      (socket) => socket.once('data', () => socket.write('HTTP/1.1 407 No\r\n\r\n<html>')),
      /with status 407: it does not take the user and password in HTTPS_PROXY$/,
    ],
  ])(
    'that %s is said to be the cause, without its password, and nothing is left open',
    async (_, serve, cause) => {
      const { port, sockets } = await proxyThat(serve);
      const failed = dial(target, at(port), signal, { patience: 200 });
      await expect(failed).rejects.toThrow(cause);
      await expect(failed).rejects.not.toThrow(secret);
      await until(
        () => sockets.every(({ destroyed, readableEnded }) => destroyed || readableEnded),
        'the end',
      );
    },
  );

  it('that speaks no TLS is said to be the cause when its address says https', async () => {
    const { port } = await startHttpProxy();
    await expect(dial(target, at(port, 'https'), signal)).rejects.toThrow(
      /does not speak TLS as expected \(\w+\); is it meant to be http:/,
    );
  });

  it('that speaks TLS may have a certificate of one of the own authorities, for https and for http', async () => {
    const now = Date.now();
    const authority = await createAuthority({ now });
    const { certificate, privateKey } = await issueServerCertificate({
      authority,
      hosts: ['127.0.0.1'],
      now,
    });
    const plain = await startHttpProxy();
    const port = await listening(
      createTlsServer({ cert: certificate, key: privateKey }, (inbound) => {
        const outbound = connect(plain.port, '127.0.0.1');
        inbound.on('error', () => undefined).pipe(outbound);
        outbound.on('error', () => undefined).pipe(inbound);
      }),
    );
    const proxy = readProxy(`https://127.0.0.1:${String(port)}`);
    const echo = await proxyThat((socket) => socket.end('HTTP/1.1 204 No Content\r\n\r\n'));
    const there = { host: 'echo.test', port: echo.port };
    const authorities = () => [authority.certificate];
    await expect(dial(there, proxy, signal)).rejects.toThrow(
      /the certificate of the proxy https:\/\/127\.0\.0\.1:\d+ is not taken \(\w+\); name its authority's file/,
    );
    (await dial(there, proxy, signal, { authorities })).destroy();
    const other = readProxy(`https://localhost:${String(port)}`);
    await expect(dial(there, other, signal, { authorities })).rejects.toThrow(
      /the certificate of the proxy https:\/\/localhost:\d+ is not for localhost; /,
    );
    const client = createHttpClient({
      endpoint: `http://echo.test:${String(echo.port)}`,
      proxies: { https: proxy, http: proxy, bypass: readNoProxy(''), noProxy: '' },
      authorities,
    });
    const request = client.request('/', { method: 'GET', headers: {}, signal, timeout: 5_000 });
    request.end();
    const [response] = (await once(request, 'response')) as [{ statusCode: number }];
    expect(response.statusCode).toBe(204);
    client.close();
    await plain.close();
  });
});

describe('a client that is closed', () => {
  it('leaves nothing open of a connection that was only just being opened', async () => {
    const { port, sockets } = await proxyThat(() => undefined);
    const client = createHttpClient({
      endpoint: 'https://api.test',
      proxies: { https: at(port), http: null, bypass: readNoProxy(''), noProxy: '' },
      authorities: () => [],
    });
    const request = client.request('/', { method: 'GET', headers: {}, signal, timeout: 5_000 });
    request.on('error', () => undefined);
    request.end();
    await until(() => sockets.length === 1, 'the connection');
    request.destroy();
    client.close();
    await until(() => sockets[0]?.destroyed === true || sockets[0]?.readableEnded === true, 'its end', 3_000);
  });
});
