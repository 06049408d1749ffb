// The image that container benches run: POOLWRIGHT_BENCH_IMAGE, else whatever small one the engine has.
import { execFileSync } from 'node:child_process';

const candidates = ['poolwright-test/runner:latest', 'busybox:latest', 'alpine:latest', 'debian:stable-slim'];

/** Undefined when there is no engine or no image. */
export function runnerImage(): string | undefined {
  const wanted = process.env['POOLWRIGHT_BENCH_IMAGE'];
  for (const image of wanted === undefined ? candidates : [wanted]) {
    try {
      execFileSync('docker', ['image', 'inspect', image], { stdio: 'ignore' });
      return image;
    } catch {
      // Not here; the next one may be.
    }
  }
  return undefined;
}

export const noImage =
  'no container engine, or none of its images can be used. Give one with POOLWRIGHT_BENCH_IMAGE, or run the tests once: they make one';
