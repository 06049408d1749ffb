// One control plane with its pool and a few launchers, and the paths between them: what a round is performed on. It
// stays from round to round.
import { mkdir, mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as z from 'zod';
import { createApiClient, type ApiClient } from '../../../control-plane/cli/api/client.js';
import { createHttpClient } from '../../../control-plane/cli/api/http.js';
import { createPool } from '../../../control-plane/cli/api/pools.js';
import { listWorkers, type Worker } from '../../../control-plane/cli/api/workers.js';
import { nextFreePort } from '../../../control-plane/local/ports.js';
import { generateKeyAndRequest } from '../../../protocol/requests.js';
import { decodeToken, encodeToken } from '../../../protocol/token.js';
import { openPath, type Path } from './path.js';
import { eventually } from './patience.js';
import {
  createControlPlane,
  createLauncher,
  type ControlPlaneProcess,
  type LauncherProcess,
} from './processes.js';
import { launcherCount } from './schedule.js';

/** A place for a launcher: when its machine is lost, another launcher comes there. */
export interface Place {
  readonly name: string;
  /** To the broker, by MQTT and by WebSocket; of this launcher alone. */
  readonly lines: readonly Path[];
  launcher: LauncherProcess;
  /** Every worker that was ever here. */
  readonly workers: Set<string>;
}

export interface Fleet {
  readonly folder: string;
  readonly client: ApiClient;
  readonly pool: string;
  readonly controlPlane: ControlPlaneProcess;
  readonly places: readonly Place[];
  /** From launchers to the API. */
  readonly api: Path;
  /** Absolute: the file in which steps note that they have begun. */
  readonly witness: string;
  workers(): Promise<Worker[]>;
  /** A launcher with a state folder of its own, not started yet. */
  newLauncher(place: Pick<Place, 'lines'>): Promise<LauncherProcess>;
  close(options?: { readonly keep: boolean }): Promise<void>;
}

/** Below what the system gives to outgoing connections, so that a port is free when a control plane comes back to it. */
const firstPort = 15_000;
let nextPort = firstPort + (process.pid % 400) * 20;

export async function startFleet(): Promise<Fleet> {
  const folder = await mkdtemp(join(tmpdir(), 'poolwright-faults-'));
  nextPort += 20;
  const apiPort = await nextFreePort('127.0.0.1', nextPort);
  const brokerPort = await nextFreePort('127.0.0.1', apiPort + 1);
  const api = await openPath(apiPort);
  const controlPlane = createControlPlane({
    data: join(folder, 'data'),
    ports: { api: apiPort, broker: brokerPort },
    publicUrl: `http://127.0.0.1:${String(api.port)}`,
  });
  await controlPlane.start();
  const key = z
    .object({ id: z.string(), secret: z.string() })
    .parse(JSON.parse(await readFile(join(folder, 'data', 'administrator.json'), 'utf8')));
  const http = await createHttpClient();
  const client = createApiClient(
    { endpoint: controlPlane.url, apiKeyId: key.id, apiKeySecret: key.secret },
    http,
  );
  const { privateKey, request } = await generateKeyAndRequest();
  const { pool, token } = await createPool(client, { name: 'faults', certificateSigningRequest: request });
  const paths: Path[] = [api];
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

  async function newLauncher({ lines }: Pick<Place, 'lines'>): Promise<LauncherProcess> {
    launchers += 1;
    const name = `launcher-${String(launchers)}`;
    await mkdir(join(folder, name));
    return createLauncher(folder, name, {
      SPACELIFT_TOKEN: tokenBy(lines),
      SPACELIFT_POOL_PRIVATE_KEY: Buffer.from(privateKey).toString('base64'),
      POOLWRIGHT_EXECUTOR: 'host',
    });
  }

  const places: Place[] = [];
  for (let number = 0; number < launcherCount; number += 1) {
    const lines = [await openPath(brokerPort), await openPath(apiPort)];
    paths.push(...lines);
    const launcher = await newLauncher({ lines });
    launcher.program.start();
    places.push({ name: `place ${String(number)}`, lines, launcher, workers: new Set() });
  }
  const fleet: Fleet = {
    folder,
    client,
    pool: pool.id,
    controlPlane,
    places,
    api,
    witness: join(folder, 'witness'),
    workers: () => listWorkers(client, pool.id),
    newLauncher,
    async close({ keep } = { keep: false }) {
      await Promise.all(places.map(({ launcher }) => launcher.program.end('SIGKILL')));
      await controlPlane.program.end('SIGKILL');
      await Promise.all(paths.map((path) => path.close()));
      http.close();
      if (!keep) await rm(folder, { recursive: true, force: true });
    },
  };
  try {
    await idle(fleet);
    return fleet;
  } catch (error) {
    await fleet.close();
    throw error;
  }
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
