// `launcher doctor`: everything that a worker needs of its machine and network, looked at one by one, with what to do.
import { access, constants, stat, statfs } from 'node:fs/promises';
import { dirname } from 'node:path';
import { isatty } from 'node:tty';
import { ulid } from 'ulid';
import { parseWebSocketEndpoint } from '../../protocol/endpoint.js';
import { messageOf } from '../../protocol/errors.js';
import { rhythm } from '../../protocol/limits.js';
import { describeClock, tolerated } from '../connection/clock-check.js';
import { createTransports } from '../connection/transports.js';
import type { Line, Transport } from '../connection/transport.js';
import { pingEngine } from '../executors/docker-engine.js';
import { assertOffered } from '../executors/docker-offers.js';
import { createHttpClient } from '../network/http-client.js';
import { proxyFor, targetOf } from '../network/proxies.js';
import { trustedCertificates } from '../network/tls.js';
import { openPolicy } from '../policy/policy.js';
import { readSettings } from '../settings/read.js';
import type { Settings } from '../settings/settings.js';

/** `warning`: a worker works, but somebody should look. */
export type Verdict = 'ok' | 'warning' | 'failed' | 'skipped';

export interface Finding {
  readonly check: string;
  readonly verdict: Verdict;
  /** What was seen, and what to do when it is not right. */
  readonly text: string;
}

export const doctorHelp = `launcher doctor – looks whether a worker would work here, and says what to mend

Usage: launcher doctor [--json]

Reads the same environment as the launcher. Registers nothing and changes nothing.
Exit codes: 0 nothing failed, 1 something failed, 2 wrong arguments.
`;

/** Milliseconds that a look at the network may take. */
const patience = 10_000;
/** Bytes of free space below which images and workspaces soon no longer fit. */
const littleSpace = 2 * 1024 ** 3;
const runUser = 1983;

/** Answers the exit code. */
export async function doctorCommand(
  args: readonly string[],
  print: (text: string) => void,
  environment: Readonly<Record<string, string | undefined>>,
): Promise<number> {
  const json = args.includes('--json');
  if (args.some((arg) => arg !== '--json')) {
    print(doctorHelp);
    return args.includes('--help') || args.includes('-h') ? 0 : 2;
  }
  const findings: Finding[] = [];
  const note = (finding: Finding) => {
    findings.push(finding);
    if (!json) print(lineOf(finding));
  };
  await examine(environment, note);
  const failed = findings.filter(({ verdict }) => verdict === 'failed').length;
  if (json) print(`${JSON.stringify({ ok: failed === 0, findings }, null, 2)}\n`);
  else print(failed === 0 ? 'A worker would work here.\n' : `${String(failed)} to mend.\n`);
  return failed === 0 ? 0 : 1;
}

function lineOf({ check, verdict, text }: Finding): string {
  const indented = text.replaceAll('\n', `\n${' '.repeat(22)}`);
  return `${verdict.padEnd(8)} ${check.padEnd(12)} ${indented}\n`;
}

async function examine(
  environment: Readonly<Record<string, string | undefined>>,
  note: (finding: Finding) => void,
): Promise<void> {
  const settings = checkSettings(environment, note);
  if (settings === undefined) {
    note({ check: 'the rest', verdict: 'skipped', text: 'needs settings without faults' });
    return;
  }
  await checked('engine', note, () => checkEngine(settings, environment['DOCKER_HOST']));
  await checked('user', note, () => Promise.resolve(checkUser(settings)));
  await checked('disk', note, () => checkDisk(settings.stateDirectory));
  if (settings.initializationPolicy !== null) {
    const file = settings.initializationPolicy;
    await checked('policy', note, async () => {
      await openPolicy({ file, environment, folder: settings.stateDirectory });
      return ok(`${file} can be used`);
    });
  }
  const authorities = () => trustedCertificates(settings.token.authorities, environment);
  const { token, privateKey, proxies } = settings;
  const id = ulid();
  const transports = createTransports({ token, privateKey, client: () => id, proxies, authorities });
  let open = 0;
  for (const transport of transports) {
    await checked(
      'broker',
      note,
      async () => {
        const text = await checkTransport(transport, settings);
        open += 1;
        return ok(text);
      },
      transports.length > 1 ? 'warning' : 'failed',
    );
  }
  if (open === 0 && transports.length > 1) {
    note({
      check: 'broker',
      verdict: 'failed',
      text: 'there is no way to the control plane; one of the two above has to work',
    });
  }
  if (token.broker.webSocket !== undefined) {
    const url = parseWebSocketEndpoint(token.broker.webSocket);
    await checked('API', note, () => checkApi(url, settings, authorities, note));
  }
}

type Seen = Omit<Finding, 'check'>;

const ok = (text: string): Seen => ({ verdict: 'ok', text });

async function checked(
  check: string,
  note: (finding: Finding) => void,
  look: () => Promise<Seen>,
  otherwise: Verdict = 'failed',
): Promise<void> {
  try {
    note({ check, ...(await look()) });
  } catch (error) {
    note({ check, verdict: otherwise, text: messageOf(error) });
  }
}

function checkSettings(
  environment: Readonly<Record<string, string | undefined>>,
  note: (finding: Finding) => void,
): Settings | undefined {
  try {
    const { settings, warnings } = readSettings({
      environment,
      now: Date.now(),
      userId: process.getuid?.(),
      terminal: isatty(1),
    });
    note({
      check: 'settings',
      ...ok(`token of pool ${settings.token.pool}, and the key that belongs to it`),
    });
    for (const text of warnings) note({ check: 'settings', verdict: 'warning', text });
    return settings;
  } catch (error) {
    note({ check: 'settings', verdict: 'failed', text: messageOf(error) });
    return undefined;
  }
}

async function checkEngine(settings: Settings, host: string | undefined): Promise<Seen> {
  if (settings.executor === 'host') {
    return { verdict: 'warning', text: 'not used: runs are processes of this machine, without isolation' };
  }
  try {
    await pingEngine(host);
  } catch (error) {
    if (settings.executor !== 'auto') throw error;
    return {
      verdict: 'warning',
      text: `${messageOf(error)} Until it does, runs are processes of this machine, without isolation.`,
    };
  }
  await assertOffered(host, settings.containers);
  return ok('the container engine answers');
}

function checkUser({ executor }: Settings): Seen {
  const user = process.getuid?.();
  if (executor === 'host' || user === undefined || user === 0 || user === runUser) {
    return ok(`runs are executed as ${executor === 'host' ? 'this user' : `UID ${String(runUser)}`}`);
  }
  return {
    verdict: 'failed',
    text: `this user has UID ${String(user)} and cannot give files to UID ${String(runUser)}, as which runs are executed; run the launcher as root or as a user with UID ${String(runUser)}`,
  };
}

async function checkDisk(folder: string): Promise<Seen> {
  const there = await writable(folder).catch((error: unknown) => {
    throw new Error(
      `${folder} cannot be written by this user (${messageOf(error)}); give it to the launcher's, or name another one with POOLWRIGHT_STATE_DIR`,
      { cause: error },
    );
  });
  const { bavail, bsize } = await statfs(there);
  const free = bavail * bsize;
  const text = `${(free / 1024 ** 3).toFixed(1)} GiB free for ${folder}`;
  if (free >= littleSpace) return ok(text);
  return { verdict: 'warning', text: `${text}; remove old images, or give the machine a larger disk` };
}

/** The folder itself, or that which is there and in which it would be made. */
async function writable(folder: string): Promise<string> {
  const there = await stat(folder).catch((error: unknown) => {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined;
    throw error;
  });
  if (there === undefined) return writable(dirname(folder));
  if (!there.isDirectory()) throw new Error('it is not a folder');
  await access(folder, constants.W_OK | constants.X_OK);
  return folder;
}

/** Connects as a worker does, with a name of its own, and leaves in order before it registers. */
async function checkTransport(transport: Transport, settings: Settings): Promise<string> {
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

async function checkApi(
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
