// `npm run schema [-- --check]`: writes components/schema.json, which tells Pulumi in every language what the components
// take and give, or says where it differs from the sources. The SDK's own reader finds components, properties and their
// descriptions in the type declarations; the rest that other languages need is added here. Before that, the typed
// arguments of pools on Kubernetes are written from the schema of the custom resource.
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import process from 'node:process';
import { fileURLToPath } from 'node:url';
import * as prettier from 'prettier';
import ts from 'typescript';
import { nativeTypes, poolArguments } from './pool-arguments.mjs';
import { runSteps } from './stamps.mjs';

const root = fileURLToPath(new URL('..', import.meta.url));
const file = join(root, 'components', 'schema.json');
const generated = join(root, 'components', 'kubernetes', 'pool-arguments.ts');
const components = ['Ec2WorkerPool', 'VmssWorkerPool', 'MigWorkerPool', 'KubernetesWorkerPool'];
/** Values that a program in any language keeps secret without being told. */
const secretInputs = ['token', 'privateKey'];

const words = process.argv.slice(2);
if (words.some((word) => word !== '--check')) {
  process.stderr.write('npm run schema [-- --check]\n');
  process.exit(words.includes('--help') ? 0 : 2);
}
// A check leaves the build alone: tests run it while others read the build.
const check = words.includes('--check');
await keep(generated, await poolArguments());
if (!check) await runSteps(['programs', 'types']);
await keep(file, await text());

/**
 * Writes the file, or ends when it differs.
 * @param {string} path
 * @param {string} wanted
 */
async function keep(path, wanted) {
  if (!check) return writeFile(path, wanted);
  if ((await readFile(path, 'utf8').catch(() => '')) === wanted) return;
  process.stderr.write(
    `${relative(root, path)} is not what the sources say. Write it anew: npm run schema\n`,
  );
  process.exit(1);
}

async function text() {
  const { name: fullName, version, description } = await json('components/package.json');
  const [, namespace, name] = /^@(.+)\/(.+)$/.exec(fullName) ?? [];
  const { Analyzer } = createRequire(import.meta.url)('@pulumi/pulumi/provider/experimental/analyzer.js');
  const { generateSchema } = createRequire(import.meta.url)('@pulumi/pulumi/provider/experimental/schema.js');
  const entry = join(root, 'dist', 'components', 'index.d.ts');
  const folder = await mkdtemp(join(tmpdir(), 'schema-'));
  try {
    // The types of the Kubernetes API are what its SDK in each language has; here, they may be anything.
    const anything = join(folder, 'kubernetes.d.ts');
    const native = (await nativeTypes()).map((type) => `export type ${type.split('.')[2]} = any;`);
    await writeFile(anything, `export declare namespace core { namespace v1 { ${native.join(' ')} } }\n`);
    await writeFile(
      join(folder, 'tsconfig.json'),
      JSON.stringify({
        extends: join(root, 'tsconfig.json'),
        compilerOptions: {
          typeRoots: [join(root, 'node_modules', '@types')],
          paths: { '@pulumi/kubernetes/types/input.js': [anything] },
        },
        files: [entry],
        include: [],
      }),
    );
    const reader = new Analyzer(folder, name, { main: entry }, new Set(components));
    const found = reader.analyze();
    const schema = generateSchema(
      name,
      version,
      description,
      found.components,
      found.typeDefinitions,
      found.dependencies,
      namespace,
    );
    complete(schema, interfaces(reader.program));
    return await prettier.format(withPlainNames(JSON.stringify(schema)), {
      parser: 'json',
      ...(await json('.prettierrc.json')),
    });
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/**
 * What the reader leaves out: descriptions of types, which inputs are secret, and that all our numbers are whole.
 * @param {any} schema
 * @param {Map<string, string>} descriptions
 */
function complete(schema, descriptions) {
  for (const [token, type] of Object.entries(schema.types)) {
    const description = descriptions.get(token.split(':')[2] ?? '');
    if (description !== undefined) type.description = description;
  }
  for (const resource of Object.values(schema.resources)) {
    for (const name of secretInputs) resource.inputProperties[name].secret = true;
  }
  schema.types['workerpools:index:ApiCredentialsArgs'].properties.keySecret.secret = true;
  schema.types['workerpools:index:WaitForWorkers'].properties.apiKeySecret.secret = true;
  visit(schema, (item) => {
    if (item.type === 'number') item.type = 'integer';
    if (typeof item.description === 'string')
      item.description = item.description.replaceAll(/\s*\n\s*/g, ' ');
  });
}

/**
 * Other languages add `Args` to the names of what goes in: `LauncherArgs` would become `LauncherArgsArgs` there.
 * @param {string} schema
 */
function withPlainNames(schema) {
  return schema.replaceAll(/(workerpools:index:\w+)Args"/g, '$1"');
}

/**
 * @param {unknown} value
 * @param {(item: Record<string, unknown>) => void} look
 */
function visit(value, look) {
  if (value === null || typeof value !== 'object') return;
  if (!Array.isArray(value)) look(/** @type {Record<string, unknown>} */ (value));
  for (const item of Object.values(value)) visit(item, look);
}

/**
 * Names and descriptions of our interfaces.
 * @param {import('typescript').Program} program
 */
function interfaces(program) {
  const found = new Map();
  for (const source of program.getSourceFiles()) {
    if (!source.fileName.startsWith(join(root, 'dist', 'components'))) continue;
    source.forEachChild((node) => {
      if (!ts.isInterfaceDeclaration(node)) return;
      const [comment] = ts.getJSDocCommentsAndTags(node);
      if (comment !== undefined) found.set(node.name.text, ts.getTextOfJSDocComment(comment.comment));
    });
  }
  return found;
}

/** @param {string} path */
async function json(path) {
  return JSON.parse(await readFile(join(root, path), 'utf8'));
}
