// The clouds' services under their own names: emulators where there are any, our stand-ins for the rest, and the authority
// that all of them have their certificates from. They are started when they are needed first, and shared by all scenes.
import type { Cloud } from '../../../components/machines.js';
import { createAuthority, issueServerCertificate } from '../../../protocol/certificates.js';
import { startAzurite, type Azurite } from './azurite.js';
import type { CloudStandIn } from './cloud.js';
import type { Route } from './front.js';
import { startMoto, type Moto } from './moto.js';
import { azureAccount, launcherBucket } from './pools.js';
import { createCloudRegistry, registries } from './registry.js';

export const hosts: Readonly<Record<Cloud, readonly string[]>> = {
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

export interface Emulators {
  /** Certificate (PEM) of the authority. */
  authority(): Promise<string>;
  /** One certificate may be of several names. */
  certificateOf(names: readonly string[]): ReturnType<typeof issueServerCertificate>;
  moto(): Promise<Moto>;
  azurite(): Promise<Azurite>;
  /** Who answers for the hosts of a cloud. */
  routesOf(cloud: Cloud, standIn: CloudStandIn): Promise<(host: string) => Route | undefined>;
  close(): Promise<void>;
}

export function createEmulators(): Emulators {
  const closers: (() => Promise<void>)[] = [];
  const authority = once(() => createAuthority({ now: Date.now(), name: 'services of the test' }));

  const service = <Service extends { close(): Promise<void> }>(start: () => Promise<Service>) =>
    once(() => {
      const started = start();
      // One that did not start has said so to whoever asked for it.
      closers.push(async () => (await started.catch(() => undefined))?.close());
      return started;
    });
  const moto = service(startMoto);
  const azurite = service(async () => startAzurite(azureAccount, await certificateOf(hosts.azure)));

  async function certificateOf(names: readonly string[]) {
    return issueServerCertificate({ authority: await authority(), hosts: names, now: Date.now() });
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

  return {
    authority: async () => (await authority()).certificate,
    certificateOf,
    moto,
    azurite,
    async routesOf(cloud, standIn) {
      const registry = createCloudRegistry(cloud);
      const route = await serviceRoutes(cloud, standIn);
      return (host) => (host === registries[cloud].host ? registry : route(host));
    },
    async close() {
      for (const close of closers.splice(0)) await close();
    },
  };
}

function once<Value>(start: () => Promise<Value>): () => Promise<Value> {
  let started: Promise<Value> | undefined;
  return () => (started ??= start());
}
