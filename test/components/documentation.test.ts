// The pages on pools have every argument that the components take, and none that they do not take.
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';

const root = fileURLToPath(new URL('../..', import.meta.url));
const read = (file: string) => readFile(join(root, file), 'utf8');

interface Shape {
  readonly inputProperties?: Readonly<Record<string, unknown>>;
  readonly properties: Readonly<Record<string, unknown>>;
}
const schema = JSON.parse(await read('components/schema.json')) as {
  resources: Readonly<Record<string, Shape>>;
  types: Readonly<Record<string, Shape>>;
};
const typeNamed = (name: string) => Object.keys(schema.types[`workerpools:index:${name}`]?.properties ?? {});
const inputsOf = (component: string) =>
  Object.keys(schema.resources[`workerpools:index:${component}`]?.inputProperties ?? {});

const pages = [
  ['docs/aws.md', 'Ec2WorkerPool', 'aws', 'Ec2Native'],
  ['docs/azure.md', 'VmssWorkerPool', 'azure', 'VmssNative'],
  ['docs/google.md', 'MigWorkerPool', 'google', 'MigNative'],
] as const;

/** Arguments that all components have. */
const shared = inputsOf('Ec2WorkerPool').filter((name) =>
  pages.every(([, component]) => inputsOf(component).includes(name)),
);

/** Names at the start of the rows of tables whose heading begins with one of the words. */
function named(page: string, heading: string): Set<string> {
  const found = new Set<string>();
  let inTable = false;
  for (const line of page.split('\n')) {
    if (!line.startsWith('|')) inTable = false;
    else if (line.startsWith(`| ${heading} |`)) inTable = true;
    else if (inTable) {
      for (const [, name = ''] of (line.split('|')[1] ?? '').matchAll(/`([\w.]+)[^`]*`/g)) found.add(name);
    }
  }
  return found;
}

describe('the page on pools', () => {
  it('has every shared argument and no other', async () => {
    const page = named(await read('docs/pools.md'), 'argument');
    expect([...page].sort()).toEqual([...shared].sort());
  });

  it('has every option of the launcher', async () => {
    const options = named(await read('docs/pools.md'), 'option');
    const text = await read('docs/pools.md');
    const missing = typeNamed('Launcher').filter(
      (name) => !options.has(name) && !text.includes(`\`${name}\``),
    );
    expect(missing).toEqual([]);
    expect([...options].filter((name) => !typeNamed('Launcher').includes(name))).toEqual([]);
  });
});

describe.each(pages)('%s', (file, component, group, native) => {
  it('has every argument of its own and no other', async () => {
    const page = named(await read(file), 'argument');
    const own = [
      ...inputsOf(component).filter((name) => !shared.includes(name) && name !== group),
      ...typeNamed(native).map((name) => `${group}.${name}`),
    ];
    expect([...page].sort()).toEqual(own.sort());
  });
});

describe('docs/kubernetes.md', () => {
  it('has every argument of the component and no other', async () => {
    const text = await read('docs/kubernetes.md');
    expect([...named(text, 'argument')].sort()).toEqual(inputsOf('KubernetesWorkerPool').sort());
    for (const type of ['KubernetesLauncher', 'ApiCredentials', 'Controller', 'NetworkPolicy', 'Metrics']) {
      expect(typeNamed(type).filter((name) => !text.includes(`\`${name}\``))).toEqual([]);
    }
  });
});
