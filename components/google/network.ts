// The subnet of a pool on Google Cloud: the one given, or a network of its own that has a way out and none in.
import * as pulumi from '@pulumi/pulumi';
import { Network } from '@pulumi/gcp/compute/network.js';
import { Router } from '@pulumi/gcp/compute/router.js';
import { RouterNat } from '@pulumi/gcp/compute/routerNat.js';
import { Subnetwork } from '@pulumi/gcp/compute/subnetwork.js';
import type { MigWorkerPoolArgs } from './arguments.js';
import { afterOf, type ChildOptions } from '../plan.js';

export interface PoolNetwork {
  readonly subnetwork: pulumi.Output<string>;
  /** Must be there before a machine starts. */
  readonly ready: pulumi.Resource[];
}

/** A network without firewall rules lets nothing in and everything out; addresses are translated on the way out. */
export function networkOf(name: string, args: MigWorkerPoolArgs, options: ChildOptions): PoolNetwork {
  if (args.subnetIds !== undefined) {
    return { subnetwork: pulumi.output(args.subnetIds).apply(([first]) => first ?? ''), ready: [] };
  }
  const network = new Network(`${name}-workers`, { autoCreateSubnetworks: false }, options);
  const inside = afterOf(options);
  const subnetwork = new Subnetwork(
    `${name}-workers`,
    { network: network.id, region: args.region, ipCidrRange: '10.83.0.0/20', privateIpGoogleAccess: true },
    inside,
  );
  const router = new Router(`${name}-workers`, { network: network.id, region: args.region }, inside);
  const nat = new RouterNat(
    `${name}-workers`,
    {
      router: router.name,
      region: args.region,
      natIpAllocateOption: 'AUTO_ONLY',
      sourceSubnetworkIpRangesToNat: 'ALL_SUBNETWORKS_ALL_IP_RANGES',
    },
    inside,
  );
  return { subnetwork: subnetwork.id, ready: [nat] };
}
