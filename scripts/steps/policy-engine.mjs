// dist/policy-engine-x86_64 and -aarch64: what evaluates Rego for launchers, and the same compressed for their executables.
// Where no Go is, they are left out, and launchers say so when they are given a policy.
import { execFile, spawnSync } from 'node:child_process';
import { readFile, rename, rm, writeFile } from 'node:fs/promises';
import { promisify } from 'node:util';
import { brotliCompress, constants } from 'node:zlib';

const run = promisify(execFile);
const targets = { x86_64: 'amd64', aarch64: 'arm64' };
const hasGo = spawnSync('go', ['version']).status === 0;

/** @type {import('./index.mjs').Step} */
export const policyEngine = {
  what: 'policy engine',
  // Without Go there is nothing to make, and when it comes there is.
  inputs: hasGo ? ['policy-engine/*.{go,mod,sum}'] : [],
  outputs: hasGo ? Object.keys(targets).map((architecture) => `dist/policy-engine-${architecture}.br`) : [],
  async run() {
    for (const architecture of Object.keys(targets)) {
      await rm(`dist/policy-engine-${architecture}`, { force: true });
      await rm(`dist/policy-engine-${architecture}.br`, { force: true });
    }
    if (!hasGo) return 'left out: there is no Go here';
    const sizes = [];
    for (const [architecture, goarch] of Object.entries(targets)) {
      const file = `dist/policy-engine-${architecture}`;
      await run(
        'go',
        ['build', '-trimpath', '-buildvcs=false', '-ldflags', '-s -w', '-o', `../${file}`, '.'],
        {
          cwd: 'policy-engine',
          env: { ...process.env, CGO_ENABLED: '0', GOOS: 'linux', GOARCH: goarch },
        },
      );
      const program = await readFile(file);
      const packed = await promisify(brotliCompress)(program, {
        params: {
          [constants.BROTLI_PARAM_QUALITY]: 9,
          [constants.BROTLI_PARAM_LGWIN]: 24,
          [constants.BROTLI_PARAM_SIZE_HINT]: program.length,
        },
      });
      await writeFile(`${file}.br.new`, packed);
      await rename(`${file}.br.new`, `${file}.br`);
      sizes.push(`${architecture} ${(packed.length / 1024 / 1024).toFixed(1)} MB compressed`);
    }
    return sizes.join(', ');
  },
};
