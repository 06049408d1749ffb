// Importing the pool of one cloud loads no SDK of another, whatever that costs.
import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { describe, expect, it } from 'vitest';

const dist = fileURLToPath(new URL('../../dist/components', import.meta.url));
const sdks = { aws: 'aws', azure: 'azure-native', google: 'gcp', kubernetes: 'kubernetes' } as const;

describe.each(Object.entries(sdks))('the pool of %s', (cloud, own) => {
  it('loads the SDK of its own cloud only', async () => {
    // A CommonJS module stays in the list of those that were loaded.
    const program = `
      import { createRequire } from 'node:module';
      await import(${JSON.stringify(join(dist, cloud, 'index.js'))});
      const found = Object.keys(createRequire(import.meta.url).cache).map((file) => /@pulumi.(aws|azure-native|gcp|kubernetes)\\b/.exec(file)?.[1]);
      console.log(JSON.stringify([...new Set(found.filter(Boolean))]));`;
    const { stdout } = await promisify(execFile)(process.execPath, ['--input-type=module', '-e', program]);
    expect(JSON.parse(stdout)).toEqual([own]);
  }, 120_000);
});
