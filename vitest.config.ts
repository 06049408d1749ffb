// Tests: every `test/**/*.test.ts`. Suites on real parts skip themselves, in one line, where the part is missing.
import { fileURLToPath } from 'node:url';
import { defineConfig } from 'vitest/config';
import { ClosingLine } from './test/support/closing-line.js';

/**
 * Suites that have a process of their own, because they set or measure what a whole process has: a stand-in for the Pulumi
 * engine, the database of other suites, the modules that are loaded, memory. The others share one with those before them,
 * which saves each of them the seconds in which modules are loaded.
 */
const apart = [
  '{boot,cluster,components,examples,pulumi}/**/*',
  'control-plane/{metrics,postgres,traces}/*',
  'launcher/kubernetes/fleet',
  'protocol/sealing/streams',
].map((suites) => `test/${suites}.test.{ts,tsx}`);

const components = fileURLToPath(new URL('./components', import.meta.url));

export default defineConfig({
  // Examples name the package as its users do.
  resolve: {
    alias: [{ find: /^@poolwright\/workerpools\/(\w+)$/, replacement: `${components}/$1/index.ts` }],
  },
  oxc: { jsx: { runtime: 'automatic', importSource: 'hono/jsx' } },
  test: {
    projects: [
      { extends: true, test: { name: 'apart', include: apart } },
      {
        extends: true,
        test: { name: 'sharing', include: ['test/**/*.test.{ts,tsx}'], exclude: apart, isolate: false },
      },
    ],
    // Two copies of the graphql module must not meet: the server's import goes the same way as ours.
    server: { deps: { inline: [/graphql-http/] } },
    pool: 'forks',
    // More than a CI machine has cores: suites on real processes mostly wait for them.
    maxWorkers: 3,
    // Suites on real processes share two cores on a CI machine; the report names what needed its second try.
    retry: process.env['CI'] === undefined ? 0 : 1,
    testTimeout: 30_000,
    hookTimeout: 60_000,
    reporters: [['default', { summary: false }], new ClosingLine()],
  },
});
