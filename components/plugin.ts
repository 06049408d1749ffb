// What the Pulumi engine starts for programs in Python, Go, .NET, Java and YAML: it tells the schema beside this file,
// and makes components. Of the clouds' SDKs it loads those of the components that a program uses.
import { readFileSync } from 'node:fs';
import process from 'node:process';
import * as pulumi from '@pulumi/pulumi';
import { z } from 'zod';

const schemaText = readFileSync(new URL('schema.json', import.meta.url), 'utf8');
const { version, resources } = z
  .object({
    version: z.string(),
    resources: z.record(z.string(), z.object({ properties: z.record(z.string(), z.unknown()) })),
  })
  .parse(JSON.parse(schemaText));

type Make = (
  name: string,
  inputs: pulumi.Inputs,
  options: pulumi.ComponentResourceOptions,
) => Promise<pulumi.ComponentResource>;

/** Inputs come from other languages, so their types are the component's to check. */
const components: Readonly<Record<string, Make>> = {
  'workerpools:index:Ec2WorkerPool': async (name, inputs, options) => {
    const { Ec2WorkerPool } = await import('./ec2-worker-pool.js');
    return new Ec2WorkerPool(name, inputs, options);
  },
  'workerpools:index:VmssWorkerPool': async (name, inputs, options) => {
    const { VmssWorkerPool } = await import('./vmss-worker-pool.js');
    return new VmssWorkerPool(name, inputs as ConstructorParameters<typeof VmssWorkerPool>[1], options);
  },
  'workerpools:index:MigWorkerPool': async (name, inputs, options) => {
    const { MigWorkerPool } = await import('./mig-worker-pool.js');
    return new MigWorkerPool(name, inputs as ConstructorParameters<typeof MigWorkerPool>[1], options);
  },
  'workerpools:index:KubernetesWorkerPool': async (name, inputs, options) => {
    const { KubernetesWorkerPool } = await import('./kubernetes-worker-pool.js');
    return new KubernetesWorkerPool(name, inputs, options);
  },
};

const plugin: pulumi.provider.Provider = {
  version,
  schema: schemaText,
  async construct(name, type, inputs, options) {
    const make = Object.hasOwn(components, type) ? components[type] : undefined;
    if (make === undefined) {
      throw new Error(`there is no ${type}; there are ${Object.keys(components).join(', ')}`);
    }
    const made = await make(name, inputs, options);
    // The outputs are the fields of the component, by the names that the schema has.
    const fields = new Map<string, unknown>(Object.entries(made));
    const names = Object.keys(resources[type]?.properties ?? {});
    return { urn: made.urn, state: Object.fromEntries(names.map((field) => [field, fields.get(field)])) };
  },
};

// The engine's launcher loads this file with `require`, so nothing here may be awaited at the top level.
void pulumi.provider.main(plugin, process.argv.slice(2));
