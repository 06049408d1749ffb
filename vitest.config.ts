// Tests: every `test/**/*.test.ts`. Suites on real parts skip themselves, in one line, where the part is missing.
import { defineConfig } from 'vitest/config';

export default defineConfig({
  oxc: { jsx: { runtime: 'automatic', importSource: 'hono/jsx' } },
  test: {
    include: ['test/**/*.test.{ts,tsx}'],
    pool: 'forks',
    maxWorkers: 2,
    testTimeout: 30_000,
    hookTimeout: 60_000,
    reporters: process.env['CI']
      ? [['default', { summary: false }], './test/support/closing-line.ts']
      : ['default'],
  },
});
