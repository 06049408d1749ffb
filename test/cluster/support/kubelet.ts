// A stand-in for a node: it takes every pod that has none, and either runs its containers for real, as Docker containers
// that share folders and a network, or moves it through an ending that a test asks for.
import { execFile, spawn, type ChildProcess } from 'node:child_process';
import { chmod, chown, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import type { ApiServer } from './api-server.js';
import { createClient, type Client, type TestPod } from './client.js';

const run = promisify(execFile);

export type Act = (pod: TestPod, node: Kubelet) => Promise<void>;

/**
 * What becomes of a pod; `run`: its containers are executed. Anything else is a status that is written to it; `unplaced`:
 * before a node has it.
 */
export type Fate = 'run' | Act | { readonly unplaced: Act };

export interface Kubelet {
  /** Decides over pods that come from now on. */
  fate: (pod: TestPod) => Fate;
  /** Pods that it has got, by name. */
  readonly seen: readonly string[];
  /** Takes a pod, and executes its containers. */
  run(pod: TestPod): Promise<void>;
  setStatus(pod: TestPod, status: object): Promise<void>;
  event(pod: TestPod, reason: string, message: string): Promise<void>;
  /** What a container has written to its standard output, as `kubectl logs` would show it. */
  logs(pod: string, container: string): string;
  /** Deletes a pod, as whoever controls a cluster does. */
  remove(pod: TestPod): Promise<void>;
  /** Confirms the end of a pod that is being deleted, as a kubelet does. */
  confirm(pod: TestPod): Promise<void>;
  close(): Promise<void>;
}

export interface KubeletOptions {
  readonly server: ApiServer;
  /** Image name in pods → image of this machine's engine. */
  readonly images: Readonly<Record<string, string>>;
  /** Run in the launcher's containers with this machine's Node; null where the image has all that they need. */
  readonly launcherProgram: string | null;
}

interface Running {
  readonly folder: string;
  /** Standard output by container. */
  readonly said: Map<string, string>;
  readonly children: Map<string, ChildProcess>;
  ended: boolean;
}

interface ContainerSpec {
  readonly name: string;
  readonly image: string;
  readonly command: readonly string[];
  readonly env?: readonly { name: string; value?: string }[];
  readonly volumeMounts?: readonly { name: string; mountPath: string; readOnly?: boolean }[];
}

interface VolumeSpec {
  readonly name: string;
  readonly secret?: { readonly secretName: string; readonly items?: readonly { readonly key: string }[] };
  readonly configMap?: { readonly name: string };
}

const node = 'node-1';
const user = 1983;

export function startKubelet(options: KubeletOptions): Kubelet {
  const client: Client = createClient(options.server);
  const pods = new Map<string, Running>();
  const seen: string[] = [];
  let closed = false;
  const work = new Set<Promise<void>>();

  const kubelet: Kubelet = {
    fate: () => 'run',
    seen,
    async run(pod) {
      await client.bind(pod, node);
      await execute(pod);
    },
    setStatus: (pod, status) => client.patchStatus(pod, status),
    event: (pod, reason, message) => client.event(pod, reason, message),
    logs: (pod, container) => pods.get(pod)?.said.get(container) ?? '',
    remove: (pod) => client.remove(pod),
    async confirm(pod) {
      await client.removeNow(pod);
    },
    async close() {
      closed = true;
      await looking;
      for (const [name, running] of pods) await endContainers(name, running, true);
      await Promise.allSettled(work);
      for (const { folder } of pods.values()) await rm(folder, { recursive: true, force: true });
    },
  };

  async function look(): Promise<void> {
    while (!closed) {
      const found = await client.pods().catch(() => []);
      for (const pod of found) {
        const name = pod.metadata.name;
        const running = pods.get(name);
        if (running === undefined && !seen.includes(name)) {
          seen.push(name);
          start(name, take(pod));
        } else if (running !== undefined && !running.ended && isToEnd(pod)) {
          start(name, endContainers(name, running, false));
        } else if (pod.metadata.deletionTimestamp !== undefined && pod.metadata.finalizers === undefined) {
          start(name, client.removeNow(pod));
        }
      }
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
  }

  function start(name: string, step: Promise<void>): void {
    const noted = step
      .catch((error: unknown) => {
        if (!closed) process.stderr.write(`kubelet, pod ${name}: ${String(error)}\n`);
      })
      .finally(() => work.delete(noted));
    work.add(noted);
  }

  async function take(pod: TestPod): Promise<void> {
    const fate = kubelet.fate(pod);
    if (fate === 'run') await kubelet.run(pod);
    else if ('unplaced' in fate) await fate.unplaced(pod, kubelet);
    else {
      await client.bind(pod, node);
      await fate(pod, kubelet);
    }
  }

  /** Containers of one pod: the init containers one after the other, then the others at once. */
  async function execute(pod: TestPod): Promise<void> {
    const { name } = pod.metadata;
    const folder = await mkdtemp(join(tmpdir(), 'poolwright-pod-'));
    await chmod(folder, 0o755);
    const running: Running = { folder, said: new Map(), children: new Map(), ended: false };
    pods.set(name, running);
    const volumes = await makeVolumes(pod, folder);
    const spec = pod.spec as unknown as {
      initContainers: readonly ContainerSpec[];
      containers: readonly ContainerSpec[];
    };
    const initStatuses: object[] = [];
    const statuses = new Map<string, object>();
    const write = (phase: string) =>
      client.patchStatus(pod, {
        phase,
        initContainerStatuses: initStatuses,
        containerStatuses: [...statuses.values()],
      });
    for (const container of spec.initContainers) {
      const place = initStatuses.push(statusOf(container, startedNow())) - 1;
      await write('Pending');
      const end = await runContainer(pod, container, volumes, running);
      initStatuses[place] = statusOf(container, { terminated: end });
      if (end.exitCode !== 0) {
        await write('Failed');
        running.ended = true;
        return;
      }
    }
    const ends = spec.containers.map(async (container) => {
      statuses.set(container.name, statusOf(container, startedNow()));
      const end = await runContainer(pod, container, volumes, running);
      statuses.set(container.name, statusOf(container, { terminated: end }));
      if (
        statuses.size > 0 &&
        [...statuses.values()].some((status) => 'running' in (status as { state: object }).state)
      )
        await write('Running');
      return end.exitCode;
    });
    await write('Running');
    const codes = await Promise.all(ends);
    await write(codes.every((code) => code === 0) ? 'Succeeded' : 'Failed');
    running.ended = true;
  }

  async function makeVolumes(pod: TestPod, folder: string): Promise<Map<string, string>> {
    const volumes = new Map<string, string>();
    for (const volume of pod.spec.volumes as readonly VolumeSpec[]) {
      const path = join(folder, volume.name);
      await mkdir(path);
      for (const [key, value] of await filesOf(pod, volume)) {
        await writeFile(join(path, key), value, { mode: 0o440 });
        await chown(join(path, key), user, user);
      }
      await chown(path, user, user);
      volumes.set(volume.name, path);
    }
    return volumes;
  }

  async function filesOf(pod: TestPod, { secret, configMap }: VolumeSpec): Promise<[string, Buffer][]> {
    const { namespace } = pod.metadata;
    if (configMap !== undefined) {
      const data = await client.configMap(namespace, configMap.name);
      return Object.entries(data).map(([key, value]) => [key, Buffer.from(value)]);
    }
    if (secret === undefined) return [];
    const keys = secret.items?.map(({ key }) => key);
    return Object.entries(await client.secret(namespace, secret.secretName))
      .filter(([key]) => keys?.includes(key) ?? true)
      .map(([key, value]) => [key, Buffer.from(value, 'base64')]);
  }

  async function runContainer(
    pod: TestPod,
    container: ContainerSpec,
    volumes: ReadonlyMap<string, string>,
    running: Running,
  ): Promise<{ exitCode: number; reason: string; message?: string }> {
    const word = join(running.folder, `${container.name}.word`);
    await writeFile(word, '');
    await chmod(word, 0o666);
    const hosted = container.command[0] === 'launcher' ? options.launcherProgram : null;
    const mounts = (container.volumeMounts ?? []).flatMap(({ name, mountPath, readOnly }) => [
      '-v',
      `${volumes.get(name) ?? ''}:${mountPath}${readOnly === true ? ':ro' : ''}`,
    ]);
    const [program = '', ...rest] = container.command;
    const child = spawn(
      'docker',
      [
        ...['run', '--rm', '--name', engineName(pod.metadata.name, container.name)],
        ...['--network', 'host', '--user', `${String(user)}:${String(user)}`, '--cap-drop', 'ALL'],
        ...['--security-opt', 'no-new-privileges', '-v', `${word}:/dev/termination-log`],
        ...mounts,
        ...(container.env ?? []).flatMap(({ name, value }) => ['-e', `${name}=${value ?? ''}`]),
        ...(hosted === null ? ['--entrypoint', ''] : hostProgram(hosted)),
        options.images[container.image] ?? container.image,
        ...(hosted === null ? [program] : [process.execPath, hosted]),
        ...rest,
      ],
      { stdio: ['ignore', 'pipe', 'pipe'] },
    );
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      running.said.set(container.name, (running.said.get(container.name) ?? '') + text);
    });
    let said = '';
    child.stderr.setEncoding('utf8').on('data', (text: string) => (said = (said + text).slice(-2000)));
    running.children.set(container.name, child);
    const exitCode = await new Promise<number>((resolve) => {
      child.once('close', (code) => {
        resolve(code ?? 137);
      });
    });
    const message = (await readFile(word, 'utf8')) || (exitCode === 0 ? '' : said);
    return {
      exitCode,
      reason: exitCode === 0 ? 'Completed' : 'Error',
      ...(message === '' ? {} : { message }),
    };
  }

  /** SIGTERM to all, the grace of the pod, SIGKILL. */
  async function endContainers(name: string, running: Running, atOnce: boolean): Promise<void> {
    if (running.ended) return;
    running.ended = true;
    for (const container of running.children.keys())
      await run(
        'docker',
        atOnce
          ? ['rm', '-f', engineName(name, container)]
          : ['kill', '-s', 'TERM', engineName(name, container)],
      ).catch(() => undefined);
  }

  const looking = look();
  return kubelet;
}

/** Deleted, or the time that it had left was taken from it. */
function isToEnd({ metadata, spec }: TestPod): boolean {
  return metadata.deletionTimestamp !== undefined || spec['activeDeadlineSeconds'] === 1;
}

/** The launcher containers have this machine's Node and Git: no registry can be reached for an image that has them. */
function hostProgram(program: string): string[] {
  const folders = ['/usr', '/lib', '/lib64', '/etc/ssl', process.execPath, dirname(program)];
  return folders.flatMap((path) => ['-v', `${path}:${path}:ro`]);
}

function engineName(pod: string, container: string): string {
  return `poolwright-${pod}-${container}`;
}

function startedNow(): object {
  return { running: { startedAt: new Date().toISOString() } };
}

function statusOf({ name, image }: ContainerSpec, state: object): object {
  return { name, image, imageID: image, ready: false, restartCount: 0, state };
}
