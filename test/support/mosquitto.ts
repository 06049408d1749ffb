// A mosquitto of the test's own, with the configuration and access rules of docs/protocol.md.
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { issueServerCertificate, type Authority } from '../../protocol/certificates.js';
import { until } from '../launcher/support/until.js';
import { block, readDocument } from '../protocol/support/markdown.js';
import { answers } from './emulators.js';
import { freePort } from './postgres.js';
import { available } from './skips.js';

const program = ['mosquitto', '/usr/sbin/mosquitto'].find(
  (path) => spawnSync(path, ['-h']).error === undefined,
);

export const mosquittoIsThere = program !== undefined;

export const hasMosquitto = (what: string) =>
  available(what, mosquittoIsThere, 'no mosquitto (Debian: mosquitto)');

export interface TestMosquitto {
  /** For BROKER_URL. */
  readonly url: string;
  /** Resolves when it has ended. */
  end(signal: NodeJS.Signals): Promise<void>;
  /** On the same port, remembering nothing. */
  start(): Promise<void>;
  close(): Promise<void>;
}

/** Its certificate is of the given authority, as those of its clients are. */
export async function startMosquitto(authority: Authority): Promise<TestMosquitto> {
  if (program === undefined) throw new Error('mosquitto is not installed');
  const path = program;
  const folder = await mkdtemp(join(tmpdir(), 'poolwright-mosquitto-'));
  const port = await freePort();
  const server = await issueServerCertificate({ authority, hosts: ['127.0.0.1'], now: Date.now() });
  const page = readDocument('protocol.md');
  const files = {
    'authority.pem': authority.certificate,
    'broker.pem': server.certificate,
    'broker.key': server.privateKey,
    'broker.acl': block(page, 'broker.acl'),
    // As root it would become the user mosquitto, who cannot read the folder.
    'mosquitto.conf': block(page, 'mosquitto.conf')
      .replace('listener 8883', `user root\nlistener ${String(port)} 127.0.0.1`)
      .replaceAll(/^(cafile|certfile|keyfile|acl_file) /gm, `$1 ${folder}/`),
  };
  for (const [name, content] of Object.entries(files)) await writeFile(join(folder, name), content);
  let running = await start();

  async function start() {
    const child = spawn(path, ['-c', join(folder, 'mosquitto.conf')], {
      stdio: ['ignore', 'ignore', 'pipe'],
    });
    let said = '';
    child.stderr.setEncoding('utf8').on('data', (text: string) => (said = (said + text).slice(-5000)));
    await until(() => answers(port), `mosquitto to listen; it said ${said}`, 20_000);
    return child;
  }

  async function end(signal: NodeJS.Signals) {
    if (running.exitCode !== null || running.signalCode !== null) return;
    const gone = once(running, 'close');
    running.kill(signal);
    await gone;
  }

  return {
    url: `mqtts://127.0.0.1:${String(port)}`,
    end,
    async start() {
      running = await start();
    },
    async close() {
      await end('SIGKILL');
      await rm(folder, { recursive: true, force: true });
    },
  };
}
