// Disk, image, security profile and administrator of a pool's machines on Azure.
import { generateKeyPairSync } from 'node:crypto';
import * as pulumi from '@pulumi/pulumi';
import type { ChosenMachine } from '../checks/machine.js';
import { azureMachineOf } from '../machines.js';
import type { PoolPlan } from '../plan.js';
import type { VmssWorkerPoolArgs } from './arguments.js';

/** What images are made for; a scale set cannot change from one to another. */
export function imageKind({ architecture, machineType }: ChosenMachine): 'gen1' | 'gen2' | 'arm64' {
  if (architecture === 'arm64') return 'arm64';
  return azureMachineOf(machineType).generation === 1 ? 'gen1' : 'gen2';
}

/** Debian's own image. */
export function defaultImage(machine: ChosenMachine) {
  const skus = { gen1: '12', gen2: '12-gen2', arm64: '12-arm64' } as const;
  return { publisher: 'Debian', offer: 'debian-12', sku: skus[imageKind(machine)] };
}

/** An image by resource id, or by `publisher:offer:sku:version`; `version` is of the default one. */
export function imageReference(args: VmssWorkerPoolArgs, plan: PoolPlan, version: pulumi.Output<string>) {
  if (args.image === undefined) return pulumi.output({ ...defaultImage(plan.machine), version });
  return pulumi.output(args.image).apply((image) => {
    if (image.startsWith('/')) return { id: image };
    const [publisher, offer, sku, version] = image.split(':');
    if (publisher !== undefined && offer !== undefined && sku !== undefined && version !== undefined) {
      return { publisher, offer, sku, version };
    }
    throw new pulumi.InputPropertyError({
      propertyPath: 'image',
      reason: `expected a resource id ("/subscriptions/…") or "publisher:offer:sku:version", got ${JSON.stringify(image)}`,
    });
  });
}

/** Trusted launch where the default image and the type have it; an image of the user's may not be made for it. */
export function securityProfile(args: VmssWorkerPoolArgs, { machine }: PoolPlan) {
  const trusted =
    args.image === undefined &&
    machine.architecture === 'x86_64' &&
    azureMachineOf(machine.machineType).generation === 2;
  const encrypted = args.azure?.encryptionAtHost === true;
  if (!trusted && !encrypted) return {};
  return {
    securityProfile: {
      ...(encrypted ? { encryptionAtHost: true } : {}),
      ...(trusted
        ? { securityType: 'TrustedLaunch', uefiSettings: { secureBootEnabled: true, vTpmEnabled: true } }
        : {}),
    },
  };
}

export function diskType(args: VmssWorkerPoolArgs, { machine }: PoolPlan): string {
  return (
    args.azure?.diskType ??
    (azureMachineOf(machine.machineType).premiumDisk ? 'Premium_LRS' : 'StandardSSD_LRS')
  );
}

/**
 * Azure starts no Linux machine without a key or a password for its administrator. Of this pair only the public half
 * ever leaves this function, so nobody can sign in with it.
 */
export function keyOfNobody(): string {
  const { publicKey } = generateKeyPairSync('ed25519');
  const { x } = publicKey.export({ format: 'jwk' });
  const parts = [Buffer.from('ssh-ed25519'), Buffer.from(x ?? '', 'base64url')];
  const blob = Buffer.concat(
    parts.flatMap((part) => {
      const length = Buffer.alloc(4);
      length.writeUInt32BE(part.length);
      return [length, part];
    }),
  );
  return `ssh-ed25519 ${blob.toString('base64')} nobody`;
}
