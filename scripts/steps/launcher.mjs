// dist/launcher.cjs: the launcher as one file, for Node 20 and later, and its version. What only Kubernetes needs is a file
// of its own beside it, dist/launcher-kubernetes.cjs, so that workers on machines do not carry it in memory.
import { createHash } from 'node:crypto';
import { chmod, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { build } from 'esbuild';

const kubernetes = './launcher-kubernetes.cjs';

/**
 * Parts of libraries that a launcher has no use for, by their files: builds of images over gRPC, engines over SSH, brokers
 * over SOCKS. They are half of a bundle, which each start has to parse. Whoever calls one of them is told.
 */
const unused =
  /node_modules\/(dockerode\/lib\/(session|buildkit)|docker-modem\/lib\/ssh|mqtt\/build\/lib\/connect\/socks)\.js$/;

const placeholder = '@@launcher-version@@';

/** @type {import('./index.mjs').Step} */
export const launcher = {
  what: 'launcher',
  inputs: ['{protocol,launcher}/**/*.ts'],
  outputs: ['dist/launcher.cjs', 'dist/launcher-kubernetes.cjs', 'dist/launcher.version'],
  async run() {
    const [text, more] = await Promise.all([
      bundle('launcher/main.ts'),
      bundle('launcher/kubernetes/main.ts'),
    ]);
    // The version is the hash of the bundles with the placeholder in them: the same sources give the same version.
    const version = createHash('sha256').update(text).update(more).digest('hex').slice(0, 16);
    await writeFile('dist/launcher.cjs', text.replaceAll(placeholder, version));
    await writeFile(join('dist', kubernetes), more);
    await chmod('dist/launcher.cjs', 0o755);
    await writeFile('dist/launcher.version', `${version}\n`);
    const megabytes = (/** @type {string} */ { length }) => (length / 1024 / 1024).toFixed(1);
    return `${megabytes(text)} MB and ${megabytes(more)} MB, version ${version}`;
  },
};

/** @param {string} entry */
async function bundle(entry) {
  const result = await build({
    entryPoints: [entry],
    bundle: true,
    format: 'cjs',
    platform: 'node',
    target: 'node20',
    // Whole names keep stack traces readable; white space is what costs start time.
    minifyWhitespace: true,
    minifySyntax: true,
    legalComments: 'none',
    ...(entry === 'launcher/main.ts' ? { banner: { js: '#!/usr/bin/env node' } } : {}),
    define: { __LAUNCHER_VERSION__: JSON.stringify(placeholder) },
    plugins: [
      {
        name: 'unused parts',
        setup({ onLoad }) {
          onLoad({ filter: unused }, ({ path }) => {
            const message = `The launcher has no ${path.slice(path.indexOf('node_modules/') + 13)}`;
            const thrown = `() => { throw new Error(${JSON.stringify(message)}); }`;
            return { contents: `module.exports = ${thrown}; module.exports.default = module.exports;` };
          });
        },
      },
      {
        name: 'kubernetes beside',
        setup({ onResolve }) {
          onResolve({ filter: /^\.\/kubernetes\/main\.js$/ }, () => ({ path: kubernetes, external: true }));
        },
      },
    ],
    write: false,
    logLevel: 'warning',
  });
  const text = result.outputFiles[0]?.text;
  if (text === undefined) throw new Error(`The bundle of ${entry} came out empty`);
  return text;
}
