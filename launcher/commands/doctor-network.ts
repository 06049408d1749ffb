// What `launcher doctor` sees of the ways to the control plane.
import { messageOf } from '../../protocol/errors.js';
import { rhythm } from '../../protocol/limits.js';
import { describeClock, tolerated } from '../connection/clock-check.js';
import type { Line, Transport } from '../connection/transport.js';
import { createHttpClient } from '../network/http-client.js';
import { proxyFor, targetOf } from '../network/proxies.js';
import type { Settings } from '../settings/settings.js';
import { ok, type Finding, type Seen } from './finding.js';

/** Milliseconds that a look may take. */
const patience = 10_000;

/** Connects as a worker does, with a name of its own, and leaves in order before it registers. */
export async function checkTransport(transport: Transport, settings: Settings): Promise<string> {
  const started = performance.now();
  const signal = AbortSignal.timeout(patience);
  const line = await transport.open(signal).catch((error: unknown) => {
    if (signal.aborted)
      throw new Error(`${transport.address} does not answer within ${String(patience / 1000)} s`);
    throw error;
  });
  await greet(line, signal);
  const time = `${String(Math.round(performance.now() - started))} ms`;
  return `${transport.address} takes the pool's certificate (${time}${viaProxy(new URL(transport.address), settings)})`;
}

function greet(line: Line, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    let taken = false;
    const session = line.begin({
      // Nobody hears of it: the session ends in order.
      will: Buffer.from('{}'),
      keepalive: rhythm.keepalive,
      onReady: () => {
        taken = true;
        void session.close();
      },
      onMessage: () => undefined,
      onClosed: (reason) => {
        if (taken) resolve();
        else reject(new Error(reason));
      },
    });
    signal.addEventListener('abort', () => {
      session.cut(`${line.address} does not answer`);
    });
  });
}

function viaProxy(url: URL, { proxies }: Settings): string {
  const encrypted = url.protocol !== 'ws:' && url.protocol !== 'http:';
  const proxy = proxyFor(proxies, targetOf(url), encrypted);
  return proxy === null ? '' : `, by the proxy ${proxy.shown}`;
}

export async function checkApi(
  webSocket: URL,
  settings: Settings,
  authorities: () => string[],
  note: (finding: Finding) => void,
): Promise<Seen> {
  const endpoint = webSocket.href.replace(/^ws/, 'http').replace(/\/worker\/v1\/mqtt$/, '');
  const client = createHttpClient({ endpoint, proxies: settings.proxies, authorities });
  try {
    const signal = AbortSignal.timeout(patience);
    const request = client.request('/healthz', { method: 'GET', headers: {}, signal, timeout: patience });
    request.end();
    const date = await new Promise<string | undefined>((resolve, reject) => {
      request.once('error', reject).once('response', (response) => {
        response.resume();
        if (response.statusCode === 200) resolve(response.headers.date);
        else reject(new Error(`${endpoint} answers with HTTP status ${String(response.statusCode)}`));
      });
    });
    checkClock(date, note);
    return ok(`${endpoint} answers${viaProxy(new URL(endpoint), settings).replace(', by', ' by')}`);
  } catch (error) {
    throw new Error(`${endpoint} cannot be reached: ${messageOf(error)}`, { cause: error });
  } finally {
    client.close();
  }
}

function checkClock(date: string | undefined, note: (finding: Finding) => void): void {
  const theirs = Date.parse(date ?? '');
  if (Number.isNaN(theirs)) return;
  const off = Date.now() - theirs;
  if (Math.abs(off) <= tolerated) note({ check: 'clock', ...ok("as the control plane's, to a minute") });
  else note({ check: 'clock', verdict: 'warning', text: `${describeClock(off)} Set it right (NTP).` });
}
