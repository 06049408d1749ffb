// A launcher whose only way out is a proxy fetches another version of itself, and is killed in the middle of that.
import { execFileSync } from 'node:child_process';
import { mkdtemp, readdir, readFile, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { nextFreePort } from '../../control-plane/local/ports.js';
import { serve } from '../../control-plane/serve.js';
import { releaseKeyText } from '../../protocol/release-signing.js';
import { startHttpProxy } from '../launcher/support/http-proxy.js';
import { until } from '../launcher/support/until.js';
import { createOperator } from '../launcher/update/support.js';
import { aroundControlPlane, type TestPlane } from '../support/control-plane.js';
import { otherVersion, release } from './support/release.js';

const opened: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const close of opened.splice(0).reverse()) await close();
});

/** A control plane whose names only a proxy knows. */
async function hiddenPlane(folder: string): Promise<TestPlane> {
  const host = '127.0.0.1';
  const start = 40_000 + Math.floor(Math.random() * 10_000);
  const [api, broker] = [await nextFreePort(host, start), await nextFreePort(host, start + 500)];
  const controlPlane = await serve({
    dataDirectory: join(folder, 'data'),
    listen: { host, port: api },
    brokerListen: { host, port: broker },
    brokerEndpoint: { host: 'broker.test', port: broker },
    publicUrl: `http://api.test:${String(api)}`,
  });
  const apiUrl = `http://${host}:${String(api)}`;
  const plane = await aroundControlPlane(folder, { ...controlPlane, apiUrl });
  const { client } = plane;
  // The operator sits beside it.
  const http: typeof client.http = {
    ...client.http,
    send: (request) =>
      client.http.send({ ...request, url: request.url.replace('//api.test:', `//${host}:`) }),
  };
  return { ...plane, client: { ...client, http } };
}

/** Bytes of the bundle that is being fetched. */
async function fetched(state: string): Promise<number> {
  const names = await readdir(state, { recursive: true });
  const part = names.find((name) => name.endsWith('.part'));
  return part === undefined ? 0 : (await stat(join(state, part))).size;
}

describe('an update through a proxy', { timeout: 90_000 }, () => {
  it('goes on where it was, when everything is killed in the middle of the download', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'poolwright-fetch-'));
    opened.push(() => rm(folder, { recursive: true, force: true }));
    const proxy = await startHttpProxy();
    opened.push(() => proxy.close());
    const plane = await hiddenPlane(folder);
    opened.push(() => plane.close());
    const operator = createOperator();
    const bytes = await otherVersion('version-by-proxy');
    await release(plane, operator, bytes, { version: 'version-by-proxy' });
    const address = `http://127.0.0.1:${String(proxy.port)}`;
    const state = join(folder, 'state');
    const environment = {
      POOLWRIGHT_UPDATE_KEY: releaseKeyText(operator.publicKey),
      POOLWRIGHT_STATE_DIR: state,
      HTTPS_PROXY: address,
      http_proxy: address,
    };

    proxy.stall = { text: '/launchers/', after: 400_000 };
    const first = await plane.startLauncher(environment);
    await until(async () => (await fetched(state).catch(() => 0)) === 400_000, 'a part of it', 30_000);
    const { pid = 0 } = first.process;
    const children = await readFile(`/proc/${String(pid)}/task/${String(pid)}/children`, 'utf8');
    for (const each of [...children.trim().split(' '), String(pid)]) execFileSync('kill', ['-9', each]);
    await first.ended;

    proxy.stall = undefined;
    const second = await plane.startLauncher(environment);
    await until(
      async () => (await plane.workers()).some(({ version }) => version === 'version-by-proxy'),
      'the new version',
      40_000,
    ).catch((error: unknown) => {
      throw new Error(`${String(error)}; it said ${second.output()}`);
    });
    const downloads = proxy.passed.filter(({ url }) => url.includes('/launchers/')).map((each) => each.bytes);
    expect(downloads).toEqual([400_000, bytes.length - 400_000]);
    second.process.kill('SIGTERM');
    expect(await second.ended).toBe(0);
  });
});
