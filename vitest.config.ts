// Tests: every `test/**/*.test.ts`. Suites on real parts skip themselves, in one line, where the part is missing.
import { fileURLToPath } from 'node:url';
import { defineConfig } from 'vitest/config';
import { ClosingLine } from './test/support/closing-line.js';

/**
 * Suites that share a process and its modules with those before them, which saves each of them some seconds: they set nothing
 * that holds for a whole process, as a stand-in for the Pulumi engine or the database of other suites would.
 */
const sharing = ['{cli,engine,faults,launcher,local,protocol,web}', 'control-plane/!(postgres)'].map(
  (room) => `test/${room}/**/*.test.{ts,tsx}`,
);

const components = fileURLToPath(new URL('./components', import.meta.url));

export default defineConfig({
  // Examples name the package as its users do.
  resolve: {
    alias: [{ find: /^@poolwright\/workerpools\/(\w+)$/, replacement: `${components}/$1/index.ts` }],
  },
  oxc: { jsx: { runtime: 'automatic', importSource: 'hono/jsx' } },
  test: {
    projects: [
      { extends: true, test: { name: 'sharing', include: sharing, isolate: false } },
      { extends: true, test: { name: 'apart', include: ['test/**/*.test.{ts,tsx}'], exclude: sharing } },
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
