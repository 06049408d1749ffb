// Where a pool on Azure keeps its launcher and its credentials, and who may read them.
import * as pulumi from '@pulumi/pulumi';
import { getClientConfigOutput } from '@pulumi/azure-native/authorization/getClientConfig.js';
import { Secret } from '@pulumi/azure-native/keyvault/secret.js';
import { Vault } from '@pulumi/azure-native/keyvault/vault.js';
import { Blob } from '@pulumi/azure-native/storage/blob.js';
import { BlobContainer } from '@pulumi/azure-native/storage/blobContainer.js';
import { StorageAccount } from '@pulumi/azure-native/storage/storageAccount.js';
import { globalName } from '../names.js';
import { afterOf, type ChildOptions, type PoolPlan } from '../plan.js';
import { grant } from './access.js';
import type { VmssWorkerPoolArgs } from './arguments.js';
import type { Place } from './place.js';

export interface LauncherBlob {
  readonly url: pulumi.Output<string>;
  readonly sha256: pulumi.Output<string>;
  readonly ready: pulumi.Resource[];
}

/** Null for the hosted launcher. A binary of the user's must be readable by the identity, see docs/azure.md. */
export function launcherBlobOf(
  name: string,
  args: VmssWorkerPoolArgs,
  { artifact, machine }: PoolPlan,
  place: Place,
  principalId: pulumi.Input<string>,
  options: ChildOptions,
): LauncherBlob | null {
  const { binaryLocation, binarySha256, distribution } = args.launcher ?? {};
  if (distribution === 'hosted') return null;
  if (artifact === null) {
    return {
      url: pulumi.output(binaryLocation).apply((url) => url ?? ''),
      sha256: pulumi.output(binarySha256).apply((sha256) => sha256 ?? ''),
      ready: [],
    };
  }
  const { resourceGroupName } = place;
  const inside = afterOf(options);
  const account = new StorageAccount(
    `${name}-launcher`,
    {
      ...place,
      accountName: nameOf(name, place, options),
      kind: 'StorageV2',
      sku: { name: 'Standard_LRS' },
      allowBlobPublicAccess: false,
      minimumTlsVersion: 'TLS1_2',
      enableHttpsTrafficOnly: true,
    },
    options,
  );
  const container = new BlobContainer(
    `${name}-launcher`,
    { resourceGroupName, accountName: account.name, containerName: 'launcher', publicAccess: 'None' },
    inside,
  );
  // A new version is a new blob, and the one before stays until its account goes: a machine of the version before may boot
  // while the new one rolls out, and the deployment does not wait for the end of that.
  const blob = new Blob(
    `${name}-launcher`,
    {
      resourceGroupName,
      accountName: account.name,
      containerName: container.name,
      blobName: `launcher-${machine.architecture}-${artifact.sha256}.gz`,
      type: 'Block',
      source: new pulumi.asset.FileAsset(artifact.path),
    },
    { ...inside, retainOnDelete: true },
  );
  const reader = grant(`${name}-launcher`, 'Storage Blob Data Reader', container.id, principalId, inside);
  return { url: blob.url, sha256: pulumi.output(artifact.sha256), ready: [blob, reader] };
}

export interface Credentials {
  /** Address of the Key Vault secret without a version. */
  readonly uri: pulumi.Output<string>;
  readonly version: pulumi.Output<string>;
  readonly ready: pulumi.Resource[];
}

export function credentialsOf(
  name: string,
  args: VmssWorkerPoolArgs,
  plan: PoolPlan,
  place: Place,
  principalId: pulumi.Input<string>,
  options: ChildOptions,
): Credentials {
  if (plan.credentials === null) {
    return {
      uri: pulumi.output(args.credentials).apply((uri) => uri ?? ''),
      version: pulumi.output('given'),
      ready: [],
    };
  }
  const inside = afterOf(options);
  const { tenantId } = getClientConfigOutput({ parent: options.parent });
  const vault = new Vault(
    `${name}-credentials`,
    {
      ...place,
      // A deleted vault keeps its name for the days of soft delete, so each life of the pool has one of its own: its
      // identity's.
      vaultName: nameOf(name, place, options, [principalId]),
      properties: {
        tenantId,
        sku: { family: 'A', name: 'standard' },
        enableRbacAuthorization: true,
        enableSoftDelete: true,
        softDeleteRetentionInDays: 7,
      },
    },
    inside,
  );
  const secret = new Secret(
    `${name}-credentials`,
    {
      resourceGroupName: place.resourceGroupName,
      vaultName: vault.name,
      secretName: 'credentials',
      properties: { value: plan.credentials, contentType: 'application/json' },
    },
    inside,
  );
  const reader = grant(
    `${name}-credentials`,
    'Key Vault Secrets User',
    pulumi.interpolate`${vault.id}/secrets/${secret.name}`,
    principalId,
    inside,
  );
  // The address of this version ends with its number, which tells nothing of the content.
  const version = pulumi
    .unsecret(secret.properties.secretUriWithVersion)
    .apply((uri) => uri.split('/').at(-1) ?? '');
  return { uri: pulumi.unsecret(secret.properties.secretUri), version, ready: [secret, reader] };
}

function nameOf(
  name: string,
  { resourceGroupName }: Place,
  { parent }: ChildOptions,
  more: readonly pulumi.Input<string>[] = [],
): pulumi.Output<string> {
  return globalName(name, [getClientConfigOutput({ parent }).subscriptionId, resourceGroupName, ...more]);
}
