// `launcher doctor`: everything that a worker needs of its machine and network, looked at one by one, with what to do.
import { statfs } from 'node:fs/promises';
import { isatty } from 'node:tty';
import { ulid } from 'ulid';
import { parseWebSocketEndpoint } from '../../protocol/endpoint.js';
import { messageOf } from '../../protocol/errors.js';
import { createTransports } from '../connection/transports.js';
import { runUser, userNotice } from '../executors/docker-container.js';
import { pingEngine } from '../executors/docker-engine.js';
import { assertOffered } from '../executors/docker-offers.js';
import { assertConfigDirectory } from '../executors/registry-credentials.js';
import { trustedCertificates } from '../network/tls.js';
import { openPolicy } from '../policy/policy.js';
import { readSettings } from '../settings/read.js';
import type { Settings } from '../settings/settings.js';
import { writablePlace } from '../state-folder.js';
import { checkApi, checkTransport } from './doctor-network.js';
import { ok, type Finding, type Seen, type Verdict } from './finding.js';
import { inTemporaryFolder } from './temporary-folder.js';

export const doctorHelp = `launcher doctor – looks whether a worker would work here, and says what to mend

Usage: launcher doctor [--json]

Reads the same environment as the launcher. Registers nothing and changes nothing.
Exit codes: 0 nothing failed, 1 something failed, 2 wrong arguments.
`;

/** Bytes of free space below which images and workspaces soon no longer fit. */
const littleSpace = 2 * 1024 ** 3;

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
  if (settings.executor !== 'host' && settings.containers.dockerConfigDirectory !== null) {
    const folder = settings.containers.dockerConfigDirectory;
    await checked('registries', note, async () => {
      await assertConfigDirectory(folder);
      return ok(`credentials are looked for in ${folder}`);
    });
  }
  await checked('user', note, () => Promise.resolve(checkUser(settings)));
  await checked('disk', note, () => checkDisk(settings.stateDirectory));
  if (settings.initializationPolicy !== null) {
    const file = settings.initializationPolicy;
    await checked('policy', note, async () => {
      // In the launcher's own folder its engine would stay.
      await inTemporaryFolder((folder) => openPolicy({ file, environment, folder }));
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
  if (executor === 'host') return ok('runs are executed as this user');
  const text = userNotice(process.getuid?.());
  return text === undefined
    ? ok(`runs are executed as UID ${String(runUser)}`)
    : { verdict: 'warning', text };
}

async function checkDisk(folder: string): Promise<Seen> {
  const there = await writablePlace(folder);
  const { bavail, bsize } = await statfs(there);
  const free = bavail * bsize;
  const text = `${(free / 1024 ** 3).toFixed(1)} GiB free for ${folder}`;
  if (free >= littleSpace) return ok(text);
  return { verdict: 'warning', text: `${text}; remove old images, or give the machine a larger disk` };
}
