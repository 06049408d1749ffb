// Tests: every `test/**/*.test.ts`. Suites on real parts skip themselves, in one line, where the part is missing.
import { defineConfig } from 'vitest/config';
import { ClosingLine } from './test/support/closing-line.js';

export default defineConfig({
  oxc: { jsx: { runtime: 'automatic', importSource: 'hono/jsx' } },
  test: {
    include: ['test/**/*.test.{ts,tsx}'],
    // Two copies of the graphql module must not meet: the server's import goes the same way as ours.
    server: { deps: { inline: [/graphql-http/] } },
    pool: 'forks',
    maxWorkers: 2,
    testTimeout: 30_000,
    hookTimeout: 60_000,
    reporters: [['default', { summary: false }], new ClosingLine()],
  },
});
