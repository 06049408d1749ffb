// One machine in a cloud that is stood in for, beside a real control plane.
import { onTestFinished } from 'vitest';
import { bootScript } from '../../../components/bootstrap/script.js';
import type { BootSettings } from '../../../components/bootstrap/settings.js';
import { launcherArtifact } from '../../../components/launcher-artifact.js';
import type { Cloud } from '../../../components/machines.js';
import { serve } from '../../../control-plane/serve.js';
import { until } from '../../launcher/support/until.js';
import { aroundControlPlane, type TestPlane } from '../../support/control-plane.js';
import { runnerImage } from '../../support/runner-image.js';
import { temporaryFolder } from '../../support/temporary.js';
import { startCloud, type CloudStandIn } from './cloud.js';
import { createMachine, hostAddress, type Machine } from './machine.js';
import { giveAtEveryStart, giveByCloudInit } from './user-data.js';

export interface Scene {
  readonly plane: TestPlane;
  readonly cloud: CloudStandIn;
  readonly machine: Machine;
  /** Gives the machine its user data and starts it. */
  boot(changes?: Partial<BootSettings>): Promise<void>;
  /** Waits for an idle worker; fails with what the machine said. */
  idle(): Promise<void>;
  /** Waits until the machine has powered off; gives the last line that is ours on its console. */
  poweredOff(): Promise<string>;
}

/** Removed when the test is finished. */
export async function scene(name: Cloud, { cloudInit = false } = {}): Promise<Scene> {
  const artifact = launcherArtifact('x86_64');
  const folder = await temporaryFolder();
  const listen = { host: hostAddress, port: 0 };
  const controlPlane = await serve({
    dataDirectory: `${folder}/data`,
    listen,
    brokerListen: listen,
    behindProxy: true,
  });
  const plane = await aroundControlPlane(folder, controlPlane);
  onTestFinished(() => plane.close());
  const credentials = JSON.stringify({
    SPACELIFT_TOKEN: plane.token,
    SPACELIFT_POOL_PRIVATE_KEY: Buffer.from(plane.privateKey).toString('base64'),
  });
  const cloud = await startCloud(name, hostAddress, artifact.path, credentials);
  onTestFinished(() => cloud.close());
  const machine = await createMachine(cloud.port, { cloudInit });
  onTestFinished(() => machine.remove());
  const base = `http://${hostAddress}:${String(cloud.port)}`;
  const references: Record<Cloud, Partial<BootSettings>> = {
    aws: {
      credentials: 'arn:aws:secretsmanager:eu-west-1:123456789012:secret:credentials',
      endpoints: { secrets: `${base}/secrets` },
    },
    azure: { credentials: `${base}/secrets/credentials`, identityClientId: 'client' },
    google: { credentials: 'projects/p/secrets/s', endpoints: { secrets: base } },
  };

  async function boot(changes: Partial<BootSettings> = {}): Promise<void> {
    const script = bootScript({
      cloud: name,
      launcher: {
        distribution: 'bundled',
        version: artifact.version,
        url: `${base}/objects/launcher.gz`,
        sha256: artifact.sha256,
      },
      credentials: '',
      credentialsVersion: '1',
      startupScript: null,
      environment: { SPACELIFT_DEFAULT_RUNNER_IMAGE: runnerImage },
      policy: null,
      runAs: 'spacelift',
      powerOff: true,
      proxy: null,
      extraCaCertificates: [],
      blockMetadata: true,
      stopSeconds: 60,
      ...references[name],
      ...changes,
    });
    await (cloudInit ? giveByCloudInit : giveAtEveryStart)(machine, script);
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
      await until(async () => !(await machine.running()), 'the machine to power off', 120_000);
    } catch (error) {
      throw new Error(`${String(error)}\n${await machine.console()}`, { cause: error });
    }
    return (await machine.console()).split('\n').findLast((line) => line.includes('poolwright:')) ?? '';
  }

  return { plane, cloud, machine, boot, idle, poweredOff };
}
