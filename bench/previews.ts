// A deployment of 1, 10 and 100 pools under mocks beside the same look-ups and resources, registered directly.
import { resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import * as pulumi from '@pulumi/pulumi';
import { z } from 'zod';
import type { Answers, States } from '../test/components/support/deployment.js';
import { aws } from '../test/components/support/aws.js';
import { azure } from '../test/components/support/azure.js';
import { google } from '../test/components/support/google.js';
import { poolCredentials } from '../test/components/support/pool-credentials.js';
import { elapsed, inTurn } from './clock.js';
import { figure, type Figure } from './figure.js';
import { notBuilt } from './support/built.js';

/** Pools → samples of each side. */
const sizes: readonly (readonly [pools: number, rounds: number])[] = [
  [1, 9],
  [10, 3],
  [100, 3],
];

interface Cloud {
  readonly states: States;
  readonly answers: Answers;
  readonly component: string;
  readonly args: object;
}

const clouds: Readonly<Record<string, Cloud>> = {
  aws: { ...aws, component: 'Ec2WorkerPool', args: { subnetIds: ['subnet-1'] } },
  azure: { ...azure, component: 'VmssWorkerPool', args: { resourceGroupName: 'g', subnetIds: ['/subnet'] } },
  google: { ...google, component: 'MigWorkerPool', args: { region: 'europe-west4' } },
};

type Class<Kind> = new (name: string, args: object, options: pulumi.CustomResourceOptions) => Kind;
const componentSchema = z.custom<Class<pulumi.ComponentResource>>((value) => typeof value === 'function');
const resourceSchema = z.custom<Class<pulumi.CustomResource>>((value) => typeof value === 'function');

/** What one pool asked for. */
interface Recorded {
  readonly calls: { readonly token: string; readonly inputs: Record<string, unknown> }[];
  readonly resources: {
    readonly name: string;
    /** Class of the cloud's SDK. */
    readonly Resource: Class<pulumi.CustomResource>;
    readonly inputs: Record<string, unknown>;
    /** Value → the output that has it: by these others name it. */
    readonly outputs: ReadonlyMap<string, string>;
  }[];
}

export async function bench(): Promise<Figure[] | string> {
  const missing = notBuilt('dist/launchers.json');
  if (missing !== null) return missing;
  const credentials = await poolCredentials();
  const figures: Figure[] = [];
  for (const [name, cloud] of Object.entries(clouds)) {
    const file = pathToFileURL(resolve(`dist/components/${name}/index.js`)).href;
    const loaded = z.record(z.string(), z.unknown()).parse({ ...((await import(file)) as object) });
    const Pool = componentSchema.parse(loaded[cloud.component]);
    const ours =
      (count: number, options: pulumi.ComponentResourceOptions = {}) =>
      () => {
        for (let index = 0; index < count; index += 1)
          new Pool(`builds${String(index)}`, { ...credentials, ...cloud.args }, options);
      };
    const one = await recorded(cloud, ours);
    const raw = (count: number) => () => {
      for (let index = 0; index < count; index += 1) register(one, index);
    };
    // Both are measured warm: what is compiled while they run is the same code for both, and would hide the rest.
    await deployment(cloud, ours(10));
    await deployment(cloud, raw(10));
    for (const [count, rounds] of sizes) {
      const samples = await inTurn(
        rounds,
        () => deployment(cloud, ours(count)),
        () => deployment(cloud, raw(count)),
      );
      figures.push(
        figure({
          name: `preview ${name}, ${count === 1 ? '1 pool' : `${String(count)} pools`}`,
          unit: 'ms',
          samples: samples.ours,
          reference: {
            what: `${String(count * one.resources.length)} raw resources`,
            samples: samples.reference,
          },
          goal: { of: 'ratio', atMost: 1.2 },
        }),
      );
    }
  }
  return figures;
}

/** One pool's look-ups and resources: their classes as the SDK made them, their inputs as the engine got them. */
async function recorded(
  cloud: Cloud,
  ours: (count: number, options: pulumi.ComponentResourceOptions) => () => void,
): Promise<Recorded> {
  const one: Recorded = { calls: [], resources: [] };
  const classes = new Map<string, Class<pulumi.CustomResource>>();
  const remember: pulumi.ResourceTransformation = ({ resource, type, name }) => {
    classes.set(`${type} ${name}`, resourceSchema.parse(resource.constructor));
    return undefined;
  };
  const states: States = (type, name, inputs) => {
    const state = cloud.states(type, name, inputs);
    const Resource = classes.get(`${type} ${name}`);
    if (Resource !== undefined && !type.startsWith('workerpools:')) {
      const outputs = new Map([[idOf(name, state), 'id']]);
      for (const [key, value] of Object.entries(state))
        if (typeof value === 'string') outputs.set(value, key);
      one.resources.push({ name, Resource, inputs, outputs });
    }
    return state;
  };
  const answers: Answers = (token, inputs) => {
    one.calls.push({ token, inputs });
    return cloud.answers(token, inputs);
  };
  await deployment({ ...cloud, states, answers }, ours(1, { transformations: [remember] }));
  return one;
}

/** Milliseconds until all that `create` asks for has been registered. */
async function deployment({ states, answers }: Cloud, create: () => void): Promise<number> {
  await pulumi.runtime.setMocks(
    {
      newResource: ({ type, name, inputs }) => {
        const asked = inputs as Record<string, unknown>;
        const state = states(type, name, asked);
        return { id: idOf(name, state), state: { ...asked, ...state } };
      },
      call: ({ token, inputs }) => answers(token, inputs as Record<string, unknown>),
    },
    'project',
    'stack',
    true,
  );
  return elapsed(async () => {
    create();
    await pulumi.runtime.disconnect();
  });
}

function idOf(name: string, state: Record<string, unknown>): string {
  return typeof state['id'] === 'string' ? state['id'] : `${name}-id`;
}

/**
 * The same without a component: as the recorded pool, under names of its own. Where a resource names another, it gets
 * that one's output, as in any program; what texts are composed of is known from the start.
 */
function register({ calls, resources }: Recorded, index: number): void {
  const parent = new pulumi.ComponentResource('bench:index:Raw', `raw${String(index)}`);
  for (const { token, inputs } of calls) void pulumi.runtime.invoke(token, inputs, { parent });
  const made = new Map<string, unknown>();
  for (const { Resource, name, inputs, outputs } of resources) {
    const linked = withOutputs(inputs, made);
    const resource = new Resource(`${name}-${String(index)}`, linked, { parent });
    for (const [value, key] of outputs) made.set(value, Reflect.get(resource, key));
  }
}

function withOutputs(inputs: Record<string, unknown>, made: ReadonlyMap<string, unknown>): object {
  const link = (value: unknown): unknown => {
    if (typeof value === 'string') return made.get(value) ?? value;
    if (Array.isArray(value)) return value.map(link);
    if (value === null || typeof value !== 'object') return value;
    return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, link(item)]));
  };
  return Object.fromEntries(Object.entries(inputs).map(([key, item]) => [key, link(item)]));
}
