// One machine in a cloud that is emulated or stood in for, beside a real control plane.
import { readFile } from 'node:fs/promises';
import { afterAll, onTestFinished } from 'vitest';
import type { WorkerPoolArgs } from '../../../components/arguments.js';
import { launcherArtifact } from '../../../components/launcher-artifact.js';
import type { Cloud } from '../../../components/machines.js';
import { serve } from '../../../control-plane/serve.js';
import { createAuthority, issueServerCertificate } from '../../../protocol/certificates.js';
import type { Resolve } from '../../launcher/support/http-proxy.js';
import { until } from '../../launcher/support/until.js';
import { aroundControlPlane, type TestPlane } from '../../support/control-plane.js';
import { hasRunnerImage, runnerImage } from '../../support/runner-image.js';
import { temporaryFolder } from '../../support/temporary.js';
import { hasAzurite, startAzurite } from './azurite.js';
import { startCloud, type CloudStandIn } from './cloud.js';
import { startFront, type Front, type Route } from './front.js';
import { createMachine, hasMachineImage, hostAddress, type Machine } from './machine.js';
import { hasMoto, startMoto } from './moto.js';
import { createCloudRegistry, registries } from './registry.js';
import { azureAccount, deployPool, launcherBucket } from './pools.js';
import { freePort } from './program.js';
import { giveAtEveryStart, giveByCloudInit } from './user-data.js';

const hosts: Readonly<Record<Cloud, readonly string[]>> = {
  aws: [
    `${launcherBucket}.s3.eu-west-1.amazonaws.com`,
    'secretsmanager.eu-west-1.amazonaws.com',
    'autoscaling.eu-west-1.amazonaws.com',
    'api.ecr.eu-west-1.amazonaws.com',
    registries.aws.host,
  ],
  azure: [
    `${azureAccount}.blob.core.windows.net`,
    'v.vault.azure.net',
    'management.azure.com',
    registries.azure.host,
  ],
  google: ['storage.googleapis.com', 'secretmanager.googleapis.com', registries.google.host],
};

export const canBoot = (what: string) =>
  hasMachineImage(what) && hasRunnerImage(what) && hasMoto(what) && hasAzurite(what);

const closers: (() => Promise<void>)[] = [];
afterAll(async () => {
  for (const close of closers.splice(0)) await close();
});

/** Started when the first test asks for it, ended with the file. */
function once<Service extends { close(): Promise<void> }>(
  start: () => Promise<Service>,
): () => Promise<Service> {
  let started: Promise<Service> | undefined;
  return () => {
    if (started === undefined) {
      started = start();
      closers.push(async () => (await started)?.close());
    }
    return started;
  };
}

const authority = createAuthority({ now: Date.now(), name: 'services of the test' });
const moto = once(startMoto);
const azurite = once(async () => startAzurite(azureAccount, await certificateOf(hosts.azure)));

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
  /** What the bucket gives out in the place of the launcher. */
  readonly otherLauncher?: Buffer;
  /** Name of the control plane, which then is behind the same authority as the cloud's addresses. */
  readonly planeName?: string;
  /** Commands at each start of the machine, before everything else. */
  readonly surroundings?: string;
}

/** Removed when the test is finished. */
export async function scene(name: Cloud, options: SceneOptions = {}): Promise<Scene> {
  const { cloudInit = false, trusted = true, planeName, surroundings = '' } = options;
  const artifact = launcherArtifact('x86_64');
  const folder = await temporaryFolder();
  const listen = { host: hostAddress, port: await freePort() };
  const controlPlane = await serve({
    dataDirectory: `${folder}/data`,
    listen,
    brokerListen: { host: hostAddress, port: 0 },
    behindProxy: true,
    ...(planeName === undefined ? {} : { publicUrl: `https://${planeName}` }),
  });
  const plane = await aroundControlPlane(folder, {
    ...controlPlane,
    apiUrl: `http://${hostAddress}:${String(listen.port)}`,
  });
  onTestFinished(() => plane.close());
  const credentials = JSON.stringify({
    SPACELIFT_TOKEN: plane.token,
    SPACELIFT_POOL_PRIVATE_KEY: Buffer.from(plane.privateKey).toString('base64'),
  });
  const cloud = await startCloud(name, hostAddress, artifact.path, credentials);
  onTestFinished(() => cloud.close());
  const names = [...hosts[name], ...(planeName === undefined ? [] : [planeName])];
  const routes = await routesOf(name, cloud);
  const front = await startFront(hostAddress, await certificateOf(names), (host) =>
    host === planeName ? listen : routes(host),
  );
  onTestFinished(() => front.close());
  const certificate = (await authority).certificate;
  const machine = await createMachine({
    cloudInit,
    metadataPort: cloud.port,
    services: { port: front.port, names },
    trusted: trusted ? certificate : null,
    surroundings,
  });
  onTestFinished(() => machine.remove());

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
      const emulator = await moto();
      await emulator.reset();
      const secretArn = await emulator.createSecret('builds-credentials', credentials);
      const pool = await deployPool(name, all, { secretArn });
      await emulator.putObject(launcherBucket, pool.launcherKey, launcher);
      // The emulator asks for rights on all secrets, whichever one is read: of the policy only the resource is widened.
      cloud.identity = await emulator.assumeRole(pool.policy.replaceAll(secretArn, '*'));
      await emulator.checkAccess();
      ({ userData } = pool);
    } else {
      const pool = await deployPool(name, all);
      if (name === 'azure')
        await (await azurite()).putBlob(azureAccount, 'launcher', pool.launcherKey, launcher);
      ({ userData } = pool);
    }
    await (cloudInit ? giveByCloudInit : giveAtEveryStart)(machine, userData);
    await machine.start();
  }

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

  return { plane, cloud, front, machine, authority: certificate, addressOf, boot, idle, poweredOff };
}

/** One certificate may be of several names. */
async function certificateOf(names: readonly string[]) {
  return issueServerCertificate({ authority: await authority, hosts: names, now: Date.now() });
}

async function routesOf(cloud: Cloud, standIn: CloudStandIn): Promise<(host: string) => Route | undefined> {
  const registry = createCloudRegistry(cloud);
  const route = await serviceRoutes(cloud, standIn);
  return (host) => (host === registries[cloud].host ? registry : route(host));
}

async function serviceRoutes(cloud: Cloud, standIn: CloudStandIn): Promise<(host: string) => Route> {
  switch (cloud) {
    case 'aws': {
      const { port } = await moto();
      return (host) => (host.startsWith('autoscaling.') ? standIn.services : { port });
    }
    case 'azure': {
      const { port } = await azurite();
      return (host) => (host.endsWith('.blob.core.windows.net') ? { port, tls: true } : standIn.services);
    }
    case 'google':
      return () => standIn.services;
  }
}
