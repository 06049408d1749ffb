// Consumers in other languages: their syntax, by what is on this machine, and their properties, by the schema.
import { execFileSync } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { available, hasProgram } from '../support/skips.js';

const root = fileURLToPath(new URL('../..', import.meta.url));
/** The reader of YAML that the Pulumi SDK brings. */
const yaml = createRequire(import.meta.url)('js-yaml') as { load(text: string): unknown };

interface Property {
  readonly type?: string;
  readonly $ref?: string;
  readonly items?: Property;
  readonly additionalProperties?: Property;
}
interface Shape {
  readonly inputProperties?: Readonly<Record<string, Property>>;
  readonly properties: Readonly<Record<string, Property>>;
  readonly requiredInputs?: readonly string[];
  readonly required?: readonly string[];
}
const schema = JSON.parse(await readFile(join(root, 'components', 'schema.json'), 'utf8')) as {
  resources: Readonly<Record<string, Shape>>;
  types: Readonly<Record<string, Shape>>;
};

/** What is wrong with a value, by its place. */
function faultsOf(value: unknown, property: Property, path: string): string[] {
  if (typeof value === 'string' && /^\$\{.+\}$/.test(value)) return [];
  // What belongs to the Kubernetes API, as in a manifest.
  if (property.$ref === 'pulumi.json#/Any') return [];
  if (property.$ref !== undefined) {
    const type = schema.types[property.$ref.replace('#/types/', '')];
    return type === undefined ? [`${path}: no type ${property.$ref}`] : faultsOfObject(value, type, path);
  }
  switch (property.type) {
    case 'array':
      if (!Array.isArray(value)) return [`${path}: is no list`];
      return value.flatMap((item, index) =>
        faultsOf(item, property.items ?? {}, `${path}[${String(index)}]`),
      );
    case 'object':
      return Object.entries(value as object).flatMap(([name, item]) =>
        faultsOf(item, property.additionalProperties ?? {}, `${path}.${name}`),
      );
    case 'integer':
      return Number.isInteger(value) ? [] : [`${path}: is no whole number`];
    case undefined:
    default:
      return typeof value === property.type ? [] : [`${path}: is no ${property.type ?? 'known type'}`];
  }
}

function faultsOfObject(value: unknown, shape: Shape, path: string): string[] {
  if (value === null || typeof value !== 'object') return [`${path}: is no object`];
  const known = shape.inputProperties ?? shape.properties;
  const required = shape.requiredInputs ?? shape.required ?? [];
  return [
    ...required.filter((name) => !(name in value)).map((name) => `${path}.${name}: is missing`),
    ...Object.entries(value).flatMap(([name, item]) => {
      const property = known[name];
      return property === undefined
        ? [`${path}.${name}: does not exist`]
        : faultsOf(item, property, `${path}.${name}`);
    }),
  ];
}

describe.each(['yaml', 'kubernetes-yaml'])('the example %s', (folder) => {
  interface Program {
    readonly packages: Readonly<Record<string, string>>;
    readonly resources: Readonly<Record<string, { type: string; properties: unknown }>>;
    readonly outputs: Readonly<Record<string, string>>;
  }
  const read = async () => {
    const text = await readFile(join(root, 'examples', folder, 'Pulumi.yaml'), 'utf8');
    return yaml.load(text) as Program;
  };

  it('gives its pool nothing but arguments of the schema, of the right types', async () => {
    for (const [name, { type, properties }] of Object.entries((await read()).resources)) {
      const shape = schema.resources[type.replace(':', ':index:')];
      expect(shape, `${type} of ${name}`).toBeDefined();
      expect(faultsOfObject(properties, shape!, name)).toEqual([]);
    }
  });

  it('exports outputs that exist', async () => {
    const { outputs, resources } = await read();
    for (const reference of Object.values(outputs)) {
      const [, resource = '', output = ''] = /^\$\{(\w+)\.(\w+)\}$/.exec(reference) ?? [];
      const type = resources[resource]?.type.replace(':', ':index:') ?? '';
      expect(Object.keys(schema.resources[type]?.properties ?? {})).toContain(output);
    }
  });
});

it('an argument that is wrong is found out', () => {
  const shape = schema.resources['workerpools:index:MigWorkerPool']!;
  const wrong = { size: { min: 1.5 }, launcher: { runTimeOut: '1h' }, subnetIds: 'a' };
  expect(faultsOfObject(wrong, shape, 'pool').sort()).toEqual([
    'pool.launcher.runTimeOut: does not exist',
    'pool.region: is missing',
    'pool.size.max: is missing',
    'pool.size.min: is no whole number',
    'pool.subnetIds: is no list',
  ]);
});

/** Calls of the generated package and attributes of what they make, as Python's own parser finds them. */
const calls = `
import ast, json, sys
tree = ast.parse(open(sys.argv[1]).read())
module = next(a.asname for n in ast.walk(tree) if isinstance(n, ast.Import) for a in n.names if a.name == 'poolwright_workerpools')
found = [{'name': n.func.attr, 'arguments': [k.arg for k in n.keywords]} for n in ast.walk(tree)
  if isinstance(n, ast.Call) and isinstance(n.func, ast.Attribute) and getattr(n.func.value, 'id', None) == module]
outputs = [n.attr for n in ast.walk(tree) if isinstance(n, ast.Attribute) and getattr(n.value, 'id', None) == 'pool']
print(json.dumps({'calls': found, 'outputs': outputs}))
`;
const hasPython = available('the Python examples', hasProgram('python3', '--version'), 'no python3');

describe.skipIf(!hasPython).each([
  ['python', 'MigWorkerPool'],
  ['kubernetes-python', 'KubernetesWorkerPool'],
])('the example %s', (folder, component) => {
  const camel = (name: string) => name.replaceAll(/_(\w)/g, (_, letter: string) => letter.toUpperCase());
  const pool = schema.resources[`workerpools:index:${component}`]!;
  /** The arguments that a call of the generated package takes; none when it has no such class. */
  const known = (name: string) =>
    Object.keys(
      (name === component
        ? pool.inputProperties
        : schema.types[`workerpools:index:${name.replace(/Args$/, '')}`]?.properties) ?? {},
    );

  it('gives its pool nothing but arguments of the schema, and exports outputs that exist', () => {
    const program = join(root, 'examples', folder, '__main__.py');
    const found = JSON.parse(execFileSync('python3', ['-c', calls, program], { encoding: 'utf8' })) as {
      calls: { name: string; arguments: string[] }[];
      outputs: string[];
    };
    expect(found.calls.map(({ name }) => name)).toEqual(expect.arrayContaining([component, 'PoolSizeArgs']));
    for (const call of found.calls) {
      expect(known(call.name), call.name).not.toEqual([]);
      expect(known(call.name), call.name).toEqual(expect.arrayContaining(call.arguments.map(camel)));
    }
    expect(Object.keys(pool.properties)).toEqual(expect.arrayContaining(found.outputs.map(camel)));
  });
});
