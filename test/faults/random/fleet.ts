// One control plane with its pool and a few launchers, and the paths between them: what a round is performed on. It
// stays from round to round.
import { chmod, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as z from 'zod';
import { createApiClient, type ApiClient } from '../../../control-plane/cli/api/client.js';
import { createHttpClient } from '../../../control-plane/cli/api/http.js';
import { createPool } from '../../../control-plane/cli/api/pools.js';
import { listWorkers, type Worker } from '../../../control-plane/cli/api/workers.js';
import { nextFreePort } from '../../../control-plane/local/ports.js';
import { openAuthority } from '../../../control-plane/pools/authority.js';
import { createFileSecrets } from '../../../control-plane/store/secrets.js';
import { generateKeyAndRequest } from '../../../protocol/requests.js';
import { decodeToken, encodeToken } from '../../../protocol/token.js';
import { startMosquitto, type TestMosquitto } from '../../support/mosquitto.js';
import { runnerImage } from '../../support/runner-image.js';
import { startEngine, type Engine } from './engine.js';
import { createMachine, type Machine } from './machine.js';
import { openPath, type Path } from './path.js';
import { eventually } from './patience.js';
import {
  createControlPlane,
  createLauncher,
  type ControlPlaneProcess,
  type LauncherProcess,
} from './processes.js';
import { launcherCount, type FleetKind } from './schedule.js';

/** A place for a launcher: when its machine is lost, another launcher comes there. */
export interface Place {
  readonly name: string;
  /** To the broker, by MQTT and by WebSocket; of this launcher alone. */
  readonly lines: readonly Path[];
  launcher: LauncherProcess;
  /** What the launcher runs on, in fleets of the kind `machines`. */
  machine: Machine | undefined;
  /** Every worker that was ever here. */
  readonly workers: Set<string>;
}

/** A broker beside the control plane. */
export interface FleetBroker {
  readonly mosquitto: TestMosquitto;
  /** From the control plane to it. */
  readonly line: Path;
}

export interface Fleet {
  readonly kind: FleetKind;
  readonly folder: string;
  readonly client: ApiClient;
  readonly pool: string;
  readonly controlPlane: ControlPlaneProcess;
  readonly places: readonly Place[];
  /** From launchers to the API. */
  readonly api: Path;
  /** In fleets of the kind `broker`. */
  readonly broker: FleetBroker | undefined;
  /** In fleets of the kind `containers`. */
  readonly engine: Engine | undefined;
  /** Absolute: the file in which steps note that they have begun. */
  readonly witness: string;
  workers(): Promise<Worker[]>;
  /** Another launcher comes there, with a state folder of its own. It is started. */
  settle(place: Place): Promise<void>;
  close(options?: { readonly keep: boolean }): Promise<void>;
}

/** Below what the system gives to outgoing connections, so that a port is free when a control plane comes back to it. */
const firstPort = 15_000;
let nextPort = firstPort + (process.pid % 400) * 20;

/** What ends a part of a fleet. */
type Closing = ((keep: boolean) => Promise<void> | void)[];

/** Throws when it does not come to be; nothing of it is left then. */
export async function startFleet(kind: FleetKind): Promise<Fleet> {
  const closing: Closing = [];
  const close = async ({ keep } = { keep: false }) => {
    for (const step of closing.splice(0).reverse()) await step(keep);
  };
  try {
    const fleet = { ...(await openFleet(kind, closing)), close };
    await idle(fleet);
    return fleet;
  } catch (error) {
    await close();
    throw error;
  }
}

async function openFleet(kind: FleetKind, closing: Closing): Promise<Omit<Fleet, 'close'>> {
  const folder = await mkdtemp(join(tmpdir(), 'poolwright-faults-'));
  closing.push((keep) => (keep ? undefined : rm(folder, { recursive: true, force: true })));
  const data = join(folder, 'data');
  const witness = join(folder, 'witness');
  // Containers write there as another user.
  await writeFile(witness, '');
  await chmod(witness, 0o666);
  nextPort += 20;
  const apiPort = await nextFreePort('127.0.0.1', nextPort);
  const broker = kind === 'broker' ? await startBroker(data) : undefined;
  if (broker !== undefined)
    closing.push(
      () => broker.mosquitto.close(),
      () => broker.line.close(),
    );
  const brokerPort = broker?.port ?? (await nextFreePort('127.0.0.1', apiPort + 1));
  const engine = kind === 'containers' ? await startEngine(join(folder, 'engine')) : undefined;
  if (engine !== undefined) closing.push(() => engine.close());
  const api = await openPath(apiPort);
  closing.push(() => api.close());
  const controlPlane = createControlPlane({
    data,
    ports: { api: apiPort, broker: brokerPort },
    publicUrl: `http://127.0.0.1:${String(api.port)}`,
    ...(broker === undefined
      ? {}
      : { environment: { BROKER_URL: `mqtts://127.0.0.1:${String(broker.line.port)}` } }),
  });
  closing.push(() => controlPlane.program.end('SIGKILL'));
  await controlPlane.start();
  const key = z
    .object({ id: z.string(), secret: z.string() })
    .parse(JSON.parse(await readFile(join(folder, 'data', 'administrator.json'), 'utf8')));
  const http = await createHttpClient();
  closing.push(() => {
    http.close();
  });
  const client = createApiClient(
    { endpoint: controlPlane.url, apiKeyId: key.id, apiKeySecret: key.secret },
    http,
  );
  const { privateKey, request } = await generateKeyAndRequest();
  const { pool, token } = await createPool(client, { name: 'faults', certificateSigningRequest: request });
  let launchers = 0;

  /** The pool's token with the addresses of a launcher's own lines. */
  function tokenBy([line, webSocket]: readonly Path[]): string {
    const { broker, ...rest } = decodeToken(token);
    return encodeToken({
      ...rest,
      broker: {
        endpoint: `ssl://127.0.0.1:${String(line?.port)}`,
        ...(broker.webSocket === undefined
          ? {}
          : { webSocket: broker.webSocket.replace(/:\d+\//, `:${String(webSocket?.port)}/`) }),
      },
    });
  }

  async function newLauncher({ lines }: Pick<Place, 'lines'>): Promise<Pick<Place, 'launcher' | 'machine'>> {
    launchers += 1;
    const name = `launcher-${String(launchers)}`;
    await mkdir(join(folder, name));
    const machine =
      kind === 'machines'
        ? await createMachine({ disk: join(folder, name), clock: join(folder, `${name}.clock`) })
        : undefined;
    const launcher = createLauncher(folder, name, {
      SPACELIFT_TOKEN: tokenBy(lines),
      SPACELIFT_POOL_PRIVATE_KEY: Buffer.from(privateKey).toString('base64'),
      ...(engine === undefined
        ? { POOLWRIGHT_EXECUTOR: 'host' }
        : {
            POOLWRIGHT_EXECUTOR: 'docker',
            DOCKER_HOST: engine.host,
            SPACELIFT_DEFAULT_RUNNER_IMAGE: runnerImage,
            SPACELIFT_WORKER_NETWORK: 'none',
            SPACELIFT_WORKER_EXTRA_MOUNTS: `${witness}:${witness}`,
          }),
      ...machine?.environment,
    });
    launcher.program.start();
    return { launcher, machine };
  }

  const places: Place[] = [];
  for (let number = 0; number < launcherCount; number += 1) {
    const lines = [await openPath(brokerPort), await openPath(apiPort)];
    closing.push(...lines.map((line) => () => line.close()));
    const name = `place ${String(number)}`;
    const place: Place = { name, lines, ...(await newLauncher({ lines })), workers: new Set() };
    places.push(place);
    closing.push(async (keep) => {
      await place.launcher.program.end('SIGKILL');
      await place.machine?.close(keep);
    });
  }
  return {
    kind,
    folder,
    client,
    pool: pool.id,
    controlPlane,
    places,
    api,
    broker,
    engine,
    witness,
    workers: () => listWorkers(client, pool.id),
    async settle(place) {
      Object.assign(place, await newLauncher(place));
    },
  };
}

async function startBroker(data: string): Promise<FleetBroker & { readonly port: number }> {
  await mkdir(data, { mode: 0o700 });
  // Its certificate is of the authority that the control plane finds there.
  const { authority } = await openAuthority(createFileSecrets(data), join(data, 'authority'), Date.now());
  const mosquitto = await startMosquitto(authority);
  const port = Number(new URL(mosquitto.url).port);
  return { mosquitto, port, line: await openPath(port) };
}

/** Waits until every launcher of the fleet is there and has nothing to do. */
export async function idle(fleet: Fleet): Promise<void> {
  let all: readonly Worker[] = [];
  await eventually(
    async () => {
      all = await fleet.workers().catch(() => []);
      return fleet.places.every(({ launcher }) =>
        all.some(({ id, status, connected }) => id === launcher.worker && status === 'IDLE' && connected),
      );
    },
    () =>
      `every launcher to be idle; they are ${fleet.places.map(({ launcher }) => launcher.worker).join(', ')}, and the control ` +
      `plane knows ${JSON.stringify(all)}`,
  );
}
