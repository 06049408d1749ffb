// Tests: every `test/**/*.test.ts`. Suites on real parts skip themselves, in one line, where the part is missing.
import { fileURLToPath } from 'node:url';
import { defineConfig } from 'vitest/config';
import { ClosingLine } from './test/support/closing-line.js';

const components = fileURLToPath(new URL('./components', import.meta.url));

export default defineConfig({
  // Examples name the package as its users do.
  resolve: {
    alias: [{ find: /^@poolwright\/workerpools\/(\w+)$/, replacement: `${components}/$1/index.ts` }],
  },
  oxc: { jsx: { runtime: 'automatic', importSource: 'hono/jsx' } },
  test: {
    include: ['test/**/*.test.{ts,tsx}'],
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
