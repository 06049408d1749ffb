// A Debian that boots in a container: systemd is its first program, and it has an engine of its own.
import { execFile, execFileSync } from 'node:child_process';
import { existsSync, statSync } from 'node:fs';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { promisify } from 'node:util';
import { available, hasDocker, hasProgram } from '../../support/skips.js';

const run = promisify(execFile);
const archive = resolve('.tools/debian-12.tar');
const image = 'poolwright-test/debian-12';

/** Address of this host as containers see it, in the network that the engine gives its bridge. */
export const hostAddress = '172.17.0.1';
const bridgeNetwork = '172.17.0.0/16';

/** `--privileged` is refused on some machines; these rights are enough for systemd and an engine inside. */
const rights = ['SYS_ADMIN', 'NET_ADMIN', 'SYS_PTRACE', 'SYS_BOOT', 'AUDIT_WRITE', 'AUDIT_CONTROL'];

export interface Machine {
  /** Puts texts into files of it, by path; before its start, too. */
  put(files: Readonly<Record<string, string>>): Promise<void>;
  /** Runs a command in it; gives its standard output. */
  exec(command: string): Promise<string>;
  /** What it printed on its console, in all its starts. */
  console(): Promise<string>;
  running(): Promise<boolean>;
  /** Starts it, for the first time or after it was powered off or reset: its disk is as it was, its memory is empty. */
  start(): Promise<void>;
  /** Takes its power away: no program of it gets to do anything more. */
  reset(): Promise<void>;
  /** Loads an image of this host's engine into its own. */
  load(name: string): Promise<void>;
  remove(): Promise<void>;
}

/** The image's name with the time of its archive, so that one made anew is used. */
function imageTag(): string {
  return `${image}:${String(Math.round(statSync(archive).mtimeMs))}`;
}

/** Whether machines can be booted here. The archive is made by test/tools/install.sh; its image is made of it once. */
export function hasMachineImage(what: string): boolean {
  if (!hasDocker(what)) return false;
  const made = `no ${archive} (npm run test:tools makes it by debootstrap)`;
  if (!available(what, existsSync(archive), made)) return false;
  if (!hasProgram('docker', 'image', 'inspect', imageTag())) {
    execFileSync('docker', ['import', archive, imageTag()], { stdio: ['ignore', 'ignore', 'inherit'] });
  }
  assertOneWay();
  return true;
}

/** Answers to machines take the first of several ways, which a bridge that another engine left may be: none would arrive. */
function assertOneWay(): void {
  const ways = execFileSync('ip', ['-4', '-o', 'route', 'show', 'to', 'exact', bridgeNetwork], {
    encoding: 'utf8',
  });
  const devices = [...ways.matchAll(/ dev (\S+)/g)].map(([, device]) => device ?? '');
  if (devices.length === 1) return;
  throw new Error(
    `Machines are reached by ${bridgeNetwork}, which is the network of ${devices.join(' and ') || 'no device'}, expected one, ` +
      "the engine's bridge. Remove the others (ip link delete …)",
  );
}

export interface MachineOptions {
  /** The image has cloud-init, which stays away unless asked for. */
  readonly cloudInit: boolean;
  /** Port of this host that is the metadata service. */
  readonly metadataPort: number;
  /** Port of this host that is the internet under these names. */
  readonly services: { readonly port: number; readonly names: readonly string[] };
  /** A certificate (PEM) that the image trusts, as it does those of public authorities. */
  readonly trusted: string | null;
  /** Commands that make its surroundings what they are, at each start. */
  readonly surroundings: string;
}

/** Address of everything that has a name on the internet. */
export const internet = '198.51.100.1';

/** Makes one that has not started yet. */
export async function createMachine(options: MachineOptions): Promise<Machine> {
  const { stdout } = await run('docker', [
    'create',
    '--tty',
    ...rights.flatMap((right) => ['--cap-add', right]),
    ...['--security-opt', 'seccomp=unconfined', '--security-opt', 'apparmor=unconfined'],
    ...['--tmpfs', '/run', '--tmpfs', '/tmp', '--tmpfs', '/run/lock'],
    ...['--volume', '/sys/fs/cgroup:/sys/fs/cgroup', '--volume', '/var/lib/docker'],
    ...options.services.names.flatMap((name) => ['--add-host', `${name}:${internet}`]),
    ...['--env', 'container=docker', imageTag(), '/sbin/init'],
    ...(options.cloudInit ? ['cloud-init=enabled'] : []),
  ]);
  const id = stdout.trim();
  const machine: Machine = {
    put: (files) => put(id, files),
    exec: async (command) =>
      (await run('docker', ['exec', id, 'bash', '-c', command], { maxBuffer: 1e8 })).stdout,
    console: async () => (await run('docker', ['logs', id], { maxBuffer: 1e8 })).stdout,
    running: async () =>
      (await run('docker', ['inspect', '-f', '{{.State.Running}}', id])).stdout.trim() === 'true',
    start: async () => {
      await run('docker', ['start', id]);
    },
    reset: async () => {
      await run('docker', ['kill', '--signal', 'KILL', id]);
    },
    load: async (name) => {
      await run('bash', ['-c', `docker save ${name} | docker exec -i ${id} docker load`]);
    },
    remove: async () => {
      await run('docker', ['rm', '--force', '--volumes', id]);
    },
  };
  await machine.put({
    '/root/surroundings': surroundings(options),
    ...(options.trusted === null
      ? {}
      : { '/usr/local/share/ca-certificates/internet.crt': `${options.trusted.trim()}\n` }),
    ...unit('test-surroundings', surroundingsUnit, 'sysinit.target'),
  });
  return machine;
}

/** Files of a systemd unit that is enabled. */
export function unit(name: string, text: string, wantedBy: string): Record<string, string> {
  return {
    [`/etc/systemd/system/${name}.service`]: text,
    [`/etc/systemd/system/${wantedBy}.d/${name}.conf`]: `[Unit]\nWants=${name}.service\n`,
  };
}

const surroundingsUnit = `[Unit]
Description=Surroundings of a machine in the cloud
DefaultDependencies=no
Before=sysinit.target cloud-init-local.service
[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart=/bin/bash /root/surroundings
`;

/**
 * The metadata service is there for containers, too: what keeps them away must be the boot script, not the lack of a way.
 */
function surroundings({ metadataPort, services, surroundings: more }: MachineOptions): string {
  const to = (port: number) => `-j DNAT --to ${hostAddress}:${String(port)}`;
  return `set -e
for chain in OUTPUT PREROUTING; do
  iptables -w -t nat -A $chain -d 169.254.169.254 -p tcp --dport 80 ${to(metadataPort)}
  iptables -w -t nat -A $chain -d ${internet} -p tcp --dport 443 ${to(services.port)}
done
added=/usr/local/share/ca-certificates/internet.crt
all=/etc/ssl/certs/ca-certificates.crt
if [ -e $added ] && ! grep -qxF "$(sed -n 3p $added)" $all; then
  cat $all $added >$all.test
  mv $all.test $all
fi
${more}
`;
}

async function put(id: string, files: Readonly<Record<string, string>>): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), 'poolwright-machine-'));
  try {
    for (const [path, text] of Object.entries(files)) {
      const file = join(folder, path);
      await mkdir(dirname(file), { recursive: true });
      await writeFile(file, text);
    }
    await run('bash', ['-c', 'set -o pipefail; tar -C "$1" -c . | docker cp - "$2:/"', 'put', folder, id]);
  } finally {
    await rm(folder, { recursive: true });
  }
}
