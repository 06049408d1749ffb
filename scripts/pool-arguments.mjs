// The typed arguments of pools on Kubernetes, made from the schema of the custom resource: what `npm run schema` writes to
// components/kubernetes/pool-arguments.ts.
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';
import * as prettier from 'prettier';

const root = fileURLToPath(new URL('..', import.meta.url));

/** Fields that are arguments of the component itself. */
const own = ['poolSize', 'token', 'privateKey', 'spaceliftAPICredentials', 'pod'];

/**
 * @typedef {{ type?: string, description?: string, native?: string, properties?: Record<string, Schema>,
 *   required?: string[], default?: unknown, items?: Schema, additionalProperties?: Schema }} Schema
 */

/** Types of the Kubernetes API that occur, such as `core.v1.Affinity`: their stand-ins are of use to readers of types. */
export async function nativeTypes() {
  /** @type {Set<string>} */
  const found = new Set();
  for (const schema of Object.values(await schemas())) visit(schema, found);
  return [...found].sort();
}

/** The text of the file. */
export async function poolArguments() {
  const { spec, pod } = await schemas();
  /** @type {Map<string, string>} name → declaration */
  const interfaces = new Map();
  const settings = Object.fromEntries(
    Object.entries(spec.properties ?? {}).filter(([name]) => !own.includes(name)),
  );
  declare(
    'KubernetesNativeArgs',
    { ...spec, description: 'What only pools on Kubernetes have.', properties: settings },
    interfaces,
  );
  declare('PodArgs', pod, interfaces);
  const text = `// The settings of a WorkerPool as typed arguments. Written by \`npm run schema\` from protocol/kubernetes; changes go there.
import type { Input } from '@pulumi/pulumi';
import type * as inputs from '@pulumi/kubernetes/types/input.js';

${[...interfaces.values()].join('\n\n')}
`;
  const options = await prettier.resolveConfig(fileURLToPath(new URL('pool-arguments.mjs', import.meta.url)));
  return prettier.format(text, { ...options, parser: 'typescript' });
}

/** @returns {Promise<{ spec: Schema, pod: Schema }>} */
async function schemas() {
  const bundle = await build({
    stdin: {
      contents: `export { schemaOf } from './protocol/kubernetes/definitions.ts';
        export { podSettings } from './protocol/kubernetes/pod-settings.ts';
        export { workerPoolSpec } from './protocol/kubernetes/resources.ts';`,
      resolveDir: root,
    },
    bundle: true,
    write: false,
    format: 'esm',
    platform: 'node',
  });
  const source = Buffer.from(bundle.outputFiles[0]?.text ?? '').toString('base64');
  const { schemaOf, podSettings, workerPoolSpec } = await import(`data:text/javascript;base64,${source}`);
  const options = { native: true };
  return { spec: schemaOf(workerPoolSpec, options), pod: schemaOf(podSettings, options) };
}

/** @param {string} name @param {Schema} schema @param {Map<string, string>} interfaces */
function declare(name, schema, interfaces) {
  // Holds its place: what it refers to comes after it.
  interfaces.set(name, '');
  const required = new Set(schema.required ?? []);
  const lines = Object.entries(schema.properties ?? {}).map(([field, property]) => {
    const optional = required.has(field) && property.default === undefined ? '' : '?';
    return `${comment(described(property))}${field}${optional}: ${typeOf(property, field, interfaces)};`;
  });
  interfaces.set(
    name,
    `${comment(schema.description ?? '')}export interface ${name} {\n${lines.join('\n')}\n}`,
  );
}

/** @param {Schema} schema @param {string} field @param {Map<string, string>} interfaces @returns {string} */
function typeOf(schema, field, interfaces) {
  if (schema.native !== undefined) return `Input<inputs.${schema.native}>`;
  switch (schema.type) {
    case 'string':
    case 'boolean':
      return `Input<${schema.type}>`;
    case 'integer':
      return 'Input<number>';
    case 'array':
      return `Input<${typeOf(schema.items ?? {}, field, interfaces)}[]>`;
    case 'object':
      return schema.properties === undefined
        ? `Input<Record<string, ${typeOf(schema.additionalProperties ?? {}, field, interfaces)}>>`
        : declared(schema, field, interfaces);
    default:
      // Amounts, which may also be numbers in a manifest.
      return 'Input<string>';
  }
}

/**
 * The name of the interface, which those of the same field share.
 * @param {Schema} schema @param {string} field @param {Map<string, string>} interfaces
 */
function declared(schema, field, interfaces) {
  const name = `${field.slice(0, 1).toUpperCase()}${field.slice(1)}Args`;
  if (!interfaces.has(name)) declare(name, schema, interfaces);
  return name;
}

/** @param {Schema} schema */
function described({ description = '', default: value }) {
  const told = value === undefined || typeof value === 'object' || /Default/.test(description);
  return told ? description : `${description} Default: ${String(value)}.`;
}

/** @param {string} text */
function comment(text) {
  const words = text.trim().split(/\s+/).filter(Boolean);
  if (words.length === 0) return '';
  const lines = [''];
  for (const word of words) {
    const last = lines.length - 1;
    if (`${lines[last]} ${word}`.length > 100) lines.push(word);
    else lines[last] = `${lines[last]} ${word}`.trim();
  }
  return lines.length === 1
    ? `/** ${lines[0]} */\n`
    : `/**\n${lines.map((line) => ` * ${line}`).join('\n')}\n */\n`;
}

/** @param {Schema} schema @param {Set<string>} found */
function visit(schema, found) {
  if (schema.native !== undefined) found.add(schema.native);
  for (const part of [...Object.values(schema.properties ?? {}), schema.items, schema.additionalProperties]) {
    if (part !== undefined && typeof part === 'object') visit(part, found);
  }
}
