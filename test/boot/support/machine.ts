// A Debian that boots in a container: systemd is its first program, and it has an engine of its own.
import { execFile, execFileSync } from 'node:child_process';
import { existsSync, statSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { available, hasDocker, hasProgram } from '../../support/skips.js';

const run = promisify(execFile);
const image = 'poolwright-test/machine';

/** Address of this host as containers see it. */
export const hostAddress = '172.17.0.1';

/** `--privileged` is refused on some machines; these rights are enough for systemd and an engine inside. */
const rights = ['SYS_ADMIN', 'NET_ADMIN', 'SYS_PTRACE', 'SYS_BOOT', 'AUDIT_WRITE', 'AUDIT_CONTROL'];

export interface Machine {
  /** Runs a command in it; gives its standard output. */
  exec(command: string): Promise<string>;
  /** Puts a text into a file of it. */
  write(path: string, text: string): Promise<void>;
  /** What it printed on its console. */
  console(): Promise<string>;
  running(): Promise<boolean>;
  /** Loads an image of this host's engine into its own. */
  load(name: string): Promise<void>;
  remove(): Promise<void>;
}

const archive = fileURLToPath(new URL('../../../.tools/machine.tar', import.meta.url));

/** Whether machines can be booted here. The archive is made by test/tools/install.sh; its image is made of it once. */
export function hasMachineImage(what: string): boolean {
  if (!hasDocker(what)) return false;
  const made = `no ${archive} (npm run test:tools makes it by debootstrap)`;
  if (!available(what, existsSync(archive), made)) return false;
  const { mtimeMs } = statSync(archive);
  const tag = `${image}:${String(Math.round(mtimeMs))}`;
  if (!hasProgram('docker', 'image', 'inspect', tag)) {
    execFileSync('docker', ['import', archive, tag], { stdio: ['ignore', 'ignore', 'inherit'] });
  }
  execFileSync('docker', ['tag', tag, image]);
  return true;
}

/** Boots one, whose metadata service is at the given port of this host. */
export async function bootMachine(metadataPort: number): Promise<Machine> {
  const { stdout } = await run('docker', [
    'run',
    '--detach',
    '--tty',
    ...rights.flatMap((right) => ['--cap-add', right]),
    ...['--security-opt', 'seccomp=unconfined', '--security-opt', 'apparmor=unconfined'],
    ...['--tmpfs', '/run', '--tmpfs', '/tmp', '--tmpfs', '/run/lock'],
    ...['--volume', '/sys/fs/cgroup:/sys/fs/cgroup', '--volume', '/var/lib/docker'],
    ...['--env', 'container=docker', image, '/sbin/init'],
  ]);
  const id = stdout.trim();
  const machine: Machine = {
    exec: async (command) =>
      (await run('docker', ['exec', id, 'bash', '-c', command], { maxBuffer: 1e8 })).stdout,
    write: async (path, text) => {
      const child = execFile('docker', ['exec', '-i', id, 'bash', '-c', `cat >${path}`]);
      child.stdin?.end(text);
      await new Promise((resolve) => child.on('close', resolve));
    },
    console: async () => (await run('docker', ['logs', id], { maxBuffer: 1e8 })).stdout,
    running: async () =>
      (await run('docker', ['inspect', '-f', '{{.State.Running}}', id])).stdout.trim() === 'true',
    load: async (name) => {
      await run('bash', ['-c', `docker save ${name} | docker exec -i ${id} docker load`]);
    },
    remove: async () => {
      await run('docker', ['rm', '--force', '--volumes', id]);
    },
  };
  await machine.exec('for n in $(seq 100); do [ -S /run/dbus/system_bus_socket ] && break; sleep 0.1; done');
  // For containers too: what keeps them away must be the boot script, not the lack of a way.
  for (const chain of ['OUTPUT', 'PREROUTING']) {
    await machine.exec(
      `iptables -t nat -A ${chain} -d 169.254.169.254 -p tcp --dport 80 -j DNAT --to ${hostAddress}:${String(metadataPort)}`,
    );
  }
  return machine;
}
