// Type declarations for those who import the package.
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';

/** @type {import('./index.mjs').Step} */
export const types = {
  what: 'type declarations',
  inputs: ['{protocol,components}/**/*.ts'],
  files: ['tsconfig.json', 'tsconfig.types.json'],
  // Where the step before has removed them, they are made again.
  outputs: ['dist/components/index.d.ts', 'dist/protocol/token.d.ts'],
  needs: ['programs'],
  async run() {
    await promisify(execFile)(process.execPath, [
      'node_modules/typescript/bin/tsc',
      '-p',
      'tsconfig.types.json',
    ]);
  },
};
