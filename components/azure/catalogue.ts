// What Azure offers at a place, of which the SDK has no look-up: versions of the default image, and machine types. It is
// asked from Azure Resource Manager with the provider's own sign-in.
import * as pulumi from '@pulumi/pulumi';
import { getClientConfigOutput } from '@pulumi/azure-native/authorization/getClientConfig.js';
import { getClientTokenOutput } from '@pulumi/azure-native/authorization/getClientToken.js';
import { z } from 'zod';
import { messageOf } from '../../protocol/errors.js';
import { throwFaults } from '../faults.js';
import type { PoolPlan } from '../plan.js';
import type { VmssWorkerPoolArgs } from './arguments.js';
import { defaultImage } from './machines.js';
import { managementOf, regionOf, type Place } from './place.js';

export interface Catalogue {
  /** Of the default image: the newest one, or `latest` where it could not be asked for, after a warning. */
  readonly imageVersion: pulumi.Output<string>;
  /** Fails where nobody chose a machine type and the default is not offered. */
  readonly offered: pulumi.Output<unknown>;
}

/** Only what the arguments leave open is asked for. */
export function catalogueOf(
  { type, name }: { readonly type: string; readonly name: string },
  args: VmssWorkerPoolArgs,
  { machine, pinImage }: PoolPlan,
  place: Place,
  parent: pulumi.Resource,
): Catalogue {
  const imageWanted = pinImage;
  const typeWanted = args.machineType === undefined;
  const nothing = { imageVersion: pulumi.output('latest'), offered: pulumi.output(null) };
  if (!imageWanted && !typeWanted) return nothing;
  const { subscriptionId } = getClientConfigOutput({ parent });
  // Every provider has one, but stand-ins of it.
  const token: pulumi.Output<string | undefined> = getClientTokenOutput({}, { parent }).token;
  // The results tell nothing of the token, however the provider marks it.
  const asked = pulumi.unsecret(pulumi.all([token, subscriptionId, place.location]));
  const asking = <Answer>(
    what: string,
    otherwise: Answer,
    ask: (access: Access, region: string) => Promise<Answer>,
  ) =>
    asked.apply(async ([bearer, subscription, location]): Promise<Answer> => {
      if (bearer === undefined || bearer === '') return otherwise;
      try {
        const base = `${managementOf(location)}/subscriptions/${subscription}`;
        return await ask({ base, bearer, fetch }, regionOf(location));
      } catch (error) {
        void pulumi.log.warn(`${type} "${name}": ${what}: ${messageOf(error)}`, parent);
        return otherwise;
      }
    });
  const imageVersion = imageWanted
    ? asking(
        'the newest Debian image could not be looked up, so machines take "latest"',
        'latest',
        (access, region) => newestVersion(access, region, defaultImage(machine)),
      )
    : nothing.imageVersion;
  const types = typeWanted
    ? asking(`whether ${machine.machineType} is offered could not be looked up`, null, machineTypes)
    : pulumi.output(null);
  const offered = pulumi.all([types, place.location]).apply(([found, location]) => {
    if (found === null || found.includes(machine.machineType)) return;
    const reason =
      `is missing, and ${machine.machineType}, the default for ${machine.architecture}, is not offered to this ` +
      `subscription in ${location}. Choose one of az vm list-skus --location ${location} --resource-type virtualMachines`;
    throwFaults(type, name, [{ path: 'machineType', reason }]);
  });
  return { imageVersion, offered };
}

/** Azure Resource Manager, as one subscription sees it. */
export interface Access {
  /** `https://…/subscriptions/…`. */
  readonly base: string;
  readonly bearer: string;
  readonly fetch: typeof fetch;
}

const versionsSchema = z
  .array(z.object({ name: z.string().regex(/^\d+(\.\d+)*$/) }))
  .min(1, 'no version at all');

/** Of an image of the marketplace in a region. Throws what Azure answered. */
export async function newestVersion(
  access: Access,
  region: string,
  { publisher, offer, sku }: { readonly publisher: string; readonly offer: string; readonly sku: string },
): Promise<string> {
  const path = `locations/${region}/publishers/${publisher}/artifacttypes/vmimage/offers/${offer}/skus/${sku}/versions`;
  const url = `${access.base}/providers/Microsoft.Compute/${path}?api-version=2024-07-01`;
  const versions = versionsSchema.parse(await get(access, url));
  const newest = versions
    .map(({ name }) => name.split('.').map(Number))
    .sort(byNumbers)
    .at(-1);
  return (newest ?? []).join('.');
}

function byNumbers(left: readonly number[], right: readonly number[]): number {
  for (let index = 0; index < Math.max(left.length, right.length); index += 1) {
    const difference = (left[index] ?? 0) - (right[index] ?? 0);
    if (difference !== 0) return difference;
  }
  return 0;
}

const typesSchema = z.object({
  value: z.array(
    z.object({
      resourceType: z.string(),
      name: z.string(),
      restrictions: z.array(z.object({ type: z.string() })).optional(),
    }),
  ),
  nextLink: z.string().nullish(),
});

/** Machine types that the subscription may have anywhere in the region. Throws what Azure answered. */
export async function machineTypes(access: Access, region: string): Promise<readonly string[]> {
  const found: string[] = [];
  const first = `${access.base}/providers/Microsoft.Compute/skus?api-version=2021-07-01`;
  let url: string | null = `${first}&$filter=${encodeURIComponent(`location eq '${region}'`)}`;
  while (url !== null) {
    const page: z.output<typeof typesSchema> = typesSchema.parse(await get(access, url));
    for (const { resourceType, name, restrictions = [] } of page.value) {
      if (resourceType !== 'virtualMachines') continue;
      // A restriction of zones leaves the others.
      if (!restrictions.some(({ type }) => type === 'Location')) found.push(name);
    }
    url = page.nextLink ?? null;
    // The token goes to nobody else.
    if (url !== null && new URL(url).origin !== new URL(first).origin) {
      throw new Error(`Azure Resource Manager sent us on to ${new URL(url).origin}`);
    }
  }
  return found;
}

async function get({ bearer, fetch: request }: Access, url: string): Promise<unknown> {
  const answer = await request(url, {
    headers: { authorization: `Bearer ${bearer}` },
    redirect: 'error',
    signal: AbortSignal.timeout(30_000),
  });
  if (!answer.ok)
    throw new Error(`Azure Resource Manager answered ${String(answer.status)} to ${new URL(url).pathname}`);
  return answer.json();
}
