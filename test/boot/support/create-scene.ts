// One machine in a cloud that is emulated or stood in for, beside a real control plane.
import { readFile } from 'node:fs/promises';
import type { WorkerPoolArgs } from '../../../components/arguments.js';
import { launcherArtifact } from '../../../components/launcher-artifact.js';
import type { Cloud } from '../../../components/machines.js';
import { serve } from '../../../control-plane/serve.js';
import type { Resolve } from '../../launcher/support/http-proxy.js';
import { until } from '../../launcher/support/until.js';
import { aroundControlPlane, type TestPlane } from '../../support/control-plane.js';
import { hasRunnerImage, runnerImage } from '../../support/runner-image.js';
import { hasAzurite } from './azurite.js';
import { startCloud, type CloudStandIn } from './cloud.js';
import { hosts, type Emulators } from './emulators.js';
import { temporaryDirectory } from './files.js';
import { startFront, type Front } from './front.js';
import { createMachine, hasMachineImage, hostAddress, type Machine } from './machine.js';
import { hasMoto } from './moto.js';
import { azureAccount, deployPool, launcherBucket } from './pools.js';
import { freePort } from './program.js';
import { giveAtEveryStart, giveByCloudInit } from './user-data.js';

const instanceId = '/latest/meta-data/instance-id';

export const canBoot = (what: string) =>
  hasMachineImage(what) && hasRunnerImage(what) && hasMoto(what) && hasAzurite(what);

export interface Scene {
  readonly plane: TestPlane;
  readonly cloud: CloudStandIn;
  readonly front: Front;
  readonly machine: Machine;
  /** Certificate of the authority behind all addresses of the cloud. */
  readonly authority: string;
  /** Where the cloud's names are, for whoever is not the machine. */
  readonly addressOf: Resolve;
  /** Deploys the pool, gives the machine its user data and starts it. */
  boot(args?: WorkerPoolArgs): Promise<void>;
  /** Whether the emulated group may not take the machine out. */
  isProtected(): Promise<boolean>;
  /** Waits for an idle worker; fails with what the machine said. */
  idle(): Promise<void>;
  /** Waits until the machine has powered off; gives the last line that is ours on its console. */
  poweredOff(): Promise<string>;
}

export interface SceneOptions {
  /** User data by the real cloud-init; otherwise by a unit at every start. */
  readonly cloudInit?: boolean;
  /** The machine's image trusts the authority behind the cloud's addresses. Default: true. */
  readonly trusted?: boolean;
  /** EC2: the machine is an instance of a group at the emulator. Default: false, because that takes its time. */
  readonly inGroup?: boolean;
  /** What the bucket gives out in the place of the launcher. */
  readonly otherLauncher?: Buffer;
  /** Name of the control plane, which then is behind the same authority as the cloud's addresses. */
  readonly planeName?: string;
  /** Commands at each start of the machine, before everything else. */
  readonly surroundings?: string;
}

/** `atEnd` is told how to remove each part; the last of them is to go first. */
export async function createScene(
  name: Cloud,
  options: SceneOptions,
  emulators: Emulators,
  atEnd: (remove: () => Promise<void>) => void,
): Promise<Scene> {
  const { cloudInit = false, trusted = true, planeName, surroundings = '' } = options;
  const artifact = launcherArtifact('x86_64');
  const folder = await temporaryDirectory();
  atEnd(() => folder.remove());
  const listen = { host: hostAddress, port: await freePort() };
  const controlPlane = await serve({
    dataDirectory: `${folder.path}/data`,
    listen,
    brokerListen: { host: hostAddress, port: 0 },
    behindProxy: true,
    ...(planeName === undefined ? {} : { publicUrl: `https://${planeName}` }),
  });
  const plane = await aroundControlPlane(folder.path, {
    ...controlPlane,
    apiUrl: `http://${hostAddress}:${String(listen.port)}`,
  });
  atEnd(() => plane.close());
  const credentials = JSON.stringify({
    SPACELIFT_TOKEN: plane.token,
    SPACELIFT_POOL_PRIVATE_KEY: Buffer.from(plane.privateKey).toString('base64'),
  });
  const cloud = await startCloud(name, hostAddress, artifact.path, credentials);
  atEnd(() => cloud.close());
  const names = [...hosts[name], ...(planeName === undefined ? [] : [planeName])];
  const routes = await emulators.routesOf(name, cloud);
  const front = await startFront(hostAddress, await emulators.certificateOf(names), (host) =>
    host === planeName ? listen : routes(host),
  );
  atEnd(() => front.close());
  const certificate = await emulators.authority();
  const machine = await createMachine({
    cloudInit,
    metadataPort: cloud.port,
    services: { port: front.port, names },
    trusted: trusted ? certificate : null,
    surroundings,
  });
  atEnd(() => machine.remove());

  async function boot(args: WorkerPoolArgs = {}): Promise<void> {
    const launcher = options.otherLauncher ?? (await readFile(artifact.path));
    const all: WorkerPoolArgs = {
      token: plane.token,
      privateKey: plane.privateKey,
      ...args,
      launcher: { defaultRunnerImage: runnerImage, ...args.launcher },
    };
    let userData: string;
    if (name === 'aws') {
      const emulator = await emulators.moto();
      await emulator.reset();
      const secretArn = await emulator.createSecret('builds-credentials', credentials);
      const pool = await deployPool(name, all, { secretArn });
      await emulator.createBucket(launcherBucket);
      await emulator.putObject(launcherBucket, pool.launcherKey, launcher);
      if (options.inGroup === true) {
        cloud.groupAt = emulator.port;
        cloud.announced.set(instanceId, await emulator.createGroup('builds-workers'));
      }
      // The emulator asks for rights on all secrets and groups, whichever one is meant: of the policy only these resources
      // are widened.
      cloud.identity = await emulator.assumeRole(
        pool.policy.replaceAll(secretArn, '*').replaceAll(/arn:aws:autoscaling:[^"]+/g, '*'),
      );
      await emulator.checkAccess();
      ({ userData } = pool);
    } else {
      const pool = await deployPool(name, all);
      if (name === 'azure')
        await (await emulators.azurite()).putBlob(azureAccount, 'launcher', pool.launcherKey, launcher);
      ({ userData } = pool);
    }
    await (cloudInit ? giveByCloudInit : giveAtEveryStart)(machine, userData);
    await machine.start();
  }

  const isProtected = async () => (await emulators.moto()).isProtected(cloud.announced.get(instanceId) ?? '');

  async function idle(): Promise<void> {
    try {
      await until(
        async () => (await plane.workers()).some(({ status }) => status === 'IDLE'),
        'an idle worker',
        150_000,
      );
    } catch (error) {
      const journal = await machine.exec('journalctl --no-pager -n 60').catch(String);
      throw new Error(`${String(error)}\n${await machine.console()}\n${journal}`, { cause: error });
    }
  }

  async function poweredOff(): Promise<string> {
    try {
      await until(async () => !(await machine.running()), 'the machine to power off', 150_000);
    } catch (error) {
      throw new Error(`${String(error)}\n${await machine.console()}`, { cause: error });
    }
    return (await machine.console()).split('\n').findLast((line) => line.includes('poolwright:')) ?? '';
  }

  const addressOf: Resolve = (host, port) =>
    names.includes(host) && port === 443 ? { host: hostAddress, port: front.port } : { host, port };

  return {
    plane,
    cloud,
    front,
    machine,
    authority: certificate,
    addressOf,
    boot,
    isProtected,
    idle,
    poweredOff,
  };
}
