// A launcher whose only way out is an HTTP proxy: broker, API by https and by http, Git.
import { createServer } from 'node:https';
import type http from 'node:http';
import type { AddressInfo } from 'node:net';
import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { networkInterfaces, tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, test } from 'vitest';
import { nextFreePort } from '../../../control-plane/local/ports.js';
import { serve } from '../../../control-plane/serve.js';
import { createHttpClient } from '../../../launcher/network/http-client.js';
import { readNoProxy } from '../../../launcher/network/no-proxy.js';
import { readProxy, type ProxySettings } from '../../../launcher/network/proxies.js';
import { createAuthority, issueServerCertificate } from '../../../protocol/certificates.js';
import { aroundControlPlane, launchLauncher, logOf } from '../../support/control-plane.js';
import { startGitServer } from '../support/git-server.js';
import { startHttpProxy, type HttpProxy } from '../support/http-proxy.js';
import { makePool } from '../support/pool.js';
import { until } from '../support/until.js';

const opened: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const close of opened.splice(0).reverse()) await close();
});

async function proxyServer(credentials?: string): Promise<HttpProxy> {
  const proxy = await startHttpProxy(credentials);
  opened.push(() => proxy.close());
  return proxy;
}

async function folder(): Promise<string> {
  const path = await mkdtemp(join(tmpdir(), 'poolwright-proxy-'));
  opened.push(() => rm(path, { recursive: true }));
  return path;
}

function settings(proxy: HttpProxy, user = ''): ProxySettings {
  const address = readProxy(`http://${user}127.0.0.1:${String(proxy.port)}`);
  return { https: address, http: address, bypass: readNoProxy(''), noProxy: '' };
}

describe('a launcher behind a proxy with a password', () => {
  test('runs a run to its end, and nothing goes another way', { timeout: 120_000 }, async () => {
    const at = await folder();
    const proxy = await proxyServer('worker:geheim-42');
    const start = 30_000 + Math.floor(Math.random() * 10_000);
    const [api, broker] = [
      await nextFreePort('127.0.0.1', start),
      await nextFreePort('127.0.0.1', start + 500),
    ];
    const controlPlane = await serve({
      dataDirectory: join(at, 'data'),
      listen: { host: '127.0.0.1', port: api },
      brokerListen: { host: '127.0.0.1', port: broker },
      brokerEndpoint: { host: 'broker.test', port: broker },
      publicUrl: `http://api.test:${String(api)}`,
    });
    const plane = await aroundControlPlane(at, {
      ...controlPlane,
      apiUrl: `http://127.0.0.1:${String(api)}`,
    });
    opened.push(() => plane.close());
    const address = `http://worker:geheim-42@127.0.0.1:${String(proxy.port)}`;
    const launcher = await plane.startLauncher({
      HTTPS_PROXY: address,
      http_proxy: address,
      NO_PROXY: 'other.test,10.0.0.0/8',
      SPACELIFT_DEBUG: 'true',
    });
    const git = await startGitServer(await folder());
    opened.push(() => git.close());
    const { stack, run: id } = await plane.triggerRun({
      repository: `http://git.test:${String(git.port)}/repository.git`,
      branch: 'main',
      planCommands: ['cat greeting'],
    });
    const done = await plane.reached(stack, id, 'UNCONFIRMED', 'FAILED');
    expect(done.failure).toBeNull();
    const log = await logOf(plane, stack, id, 'PLANNING');
    expect(log).toContain('hello from the repository');
    const asked = proxy.asked.join('\n');
    expect(asked).toContain(`CONNECT broker.test:${String(broker)}`);
    expect(asked).toContain(`POST http://api.test:${String(api)}/worker/v1/runs/${id}`);
    expect(asked).toContain(`GET http://git.test:${String(git.port)}/repository.git/info/refs`);
    expect(launcher.output() + log + (await logOf(plane, stack, id, 'PREPARING'))).not.toContain('geheim-42');
  });
});

/** An address of this machine that is none of its loopback's: those never go by a proxy. */
const address = Object.values(networkInterfaces())
  .flatMap((each) => each ?? [])
  .find(({ family, internal }) => family === 'IPv4' && !internal)?.address;

describe.skipIf(address === undefined)('NO_PROXY', () => {
  test('keeps what it names from the proxy, and nothing else', { timeout: 60_000 }, async () => {
    const at = await folder();
    const proxy = await proxyServer();
    const host = address ?? '';
    const broker = await nextFreePort(host, 20_000 + Math.floor(Math.random() * 10_000));
    const controlPlane = await serve({
      dataDirectory: join(at, 'data'),
      listen: { host: '127.0.0.1', port: 0 },
      brokerListen: { host, port: broker },
      brokerEndpoint: { host, port: broker },
    });
    const plane = await aroundControlPlane(at, controlPlane);
    opened.push(() => plane.close());
    const by = `http://127.0.0.1:${String(proxy.port)}`;
    for (const named of ['other.test', host]) {
      proxy.asked.length = 0;
      const launcher = await plane.startLauncher({ HTTPS_PROXY: by, HTTP_PROXY: by, NO_PROXY: named });
      const { stack, run } = await plane.triggerRun({}, { task: 'true' });
      await plane.reached(stack, run, 'FINISHED');
      launcher.process.kill('SIGTERM');
      expect(await launcher.ended).toBe(0);
      expect([...new Set(proxy.asked)]).toEqual(named === host ? [] : [`CONNECT ${host}:${String(broker)}`]);
    }
  });
});

describe('the API by https', () => {
  test('goes through CONNECT, on connections that are kept', async () => {
    const proxy = await proxyServer();
    const now = Date.now();
    const authority = await createAuthority({ now });
    const { certificate, privateKey } = await issueServerCertificate({ authority, hosts: ['api.test'], now });
    const server = createServer({ cert: certificate, key: privateKey }, (request, response) => {
      request.pipe(response);
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const { port } = server.address() as AddressInfo;
    const client = createHttpClient({
      endpoint: `https://api.test:${String(port)}`,
      proxies: settings(proxy),
      authorities: () => [authority.certificate],
      own: { authorities: [authority.certificate], now: Date.now },
    });
    opened.push(async () => {
      client.close();
      await new Promise((resolve) => server.close(resolve));
    });
    for (const word of ['first', 'second']) {
      const request = client.request('/echo', {
        method: 'POST',
        headers: {},
        signal: new AbortController().signal,
        timeout: 10_000,
      });
      request.end(word);
      const response = await new Promise<http.IncomingMessage>((resolve, reject) => {
        request.once('response', resolve).once('error', reject);
      });
      expect(Buffer.concat(await response.toArray()).toString()).toBe(word);
    }
    expect(proxy.asked).toEqual([`CONNECT api.test:${String(port)}`]);
  });
});

describe('a proxy that does not help is said to be the cause:', () => {
  async function warningOf(proxy: string): Promise<string> {
    const pool = await makePool();
    const state = join(await folder(), 'state');
    await mkdir(state);
    const launcher = launchLauncher({
      ...pool.environment(8883),
      SPACELIFT_TOKEN: tokenFor(pool.environment(8883)['SPACELIFT_TOKEN'] ?? ''),
      POOLWRIGHT_STATE_DIR: state,
      POOLWRIGHT_EXECUTOR: 'host',
      HTTPS_PROXY: proxy,
    });
    opened.push(async () => {
      launcher.process.kill('SIGKILL');
      await launcher.ended;
    });
    return until(() => /Not connected: .*/.exec(launcher.output())?.[0], 'a warning', 20_000);
  }

  /** The broker is somewhere else than on this machine. */
  function tokenFor(token: string): string {
    const text = Buffer.from(token, 'base64').toString();
    return Buffer.from(text.replace('ssl://localhost', 'ssl://broker.test')).toString('base64');
  }

  test('it is not there', async () => {
    expect(await warningOf('http://me:geheim-42@127.0.0.1:1')).toMatch(
      /the proxy http:\/\/127\.0\.0\.1:1 cannot be reached \(ECONNREFUSED\)/,
    );
  });

  test('it wants a password', async () => {
    const proxy = await proxyServer('me:right');
    expect(await warningOf(`http://127.0.0.1:${String(proxy.port)}`)).toMatch(/status 407: it wants a user/);
  });

  test('it refuses the port', async () => {
    const proxy = await proxyServer();
    proxy.refusal = 403;
    expect(await warningOf(`http://127.0.0.1:${String(proxy.port)}`)).toMatch(
      /CONNECT to broker\.test:8883 with status 403: its rules must allow/,
    );
  });

  test('it cannot reach the broker', async () => {
    const proxy = await proxyServer();
    proxy.refusal = 502;
    expect(await warningOf(`http://127.0.0.1:${String(proxy.port)}`)).toMatch(
      /it cannot reach that host itself/,
    );
  });
});
