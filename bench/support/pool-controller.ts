// The controller of pools on Kubernetes as a process of its own: what it says of the pods that it makes, and its figures.
import { spawn, type ChildProcess } from 'node:child_process';
import { resolve } from 'node:path';
import type { ApiServer } from '../../test/cluster/support/api-server.js';
import { poll } from './server.js';

/** Times in milliseconds since the assignment. */
export interface Created {
  readonly pod: string;
  readonly took: number;
  readonly secret: number;
  readonly accepted: number;
}

export interface Controller {
  readonly process: ChildProcess;
  /** As the controller says. */
  created(run: string): Promise<Created>;
}

export function startController(server: ApiServer, metrics: number): Controller {
  const child = spawn(
    process.execPath,
    [
      ...[resolve('dist/launcher.cjs'), 'controller', '--launcher-image=registry.test/launcher:1'],
      ...['--health-probe-bind-address=127.0.0.1:0', `--metrics-bind-address=127.0.0.1:${String(metrics)}`],
      ...['--sync-period=1h', '--metrics-secure=false'],
    ],
    {
      env: { PATH: process.env['PATH'], KUBECONFIG: server.kubeconfig.admin },
      stdio: ['ignore', 'pipe', 'inherit'],
    },
  );
  const made = new Map<string, Created>();
  let rest = '';
  let last = '';
  child.once('exit', (code, signal) => {
    if (signal !== 'SIGKILL')
      process.stderr.write(`  the controller ended: ${String(code ?? signal)}. It said last: ${last}\n`);
  });
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    const lines = (rest + text).split('\n');
    rest = lines.pop() ?? '';
    last = lines.at(-1) ?? last;
    for (const line of lines) {
      const words =
        /Pod default\/(\S+) was created ([\d.]+) ms after .*Secret after ([\d.]+) ms, accepted after ([\d.]+) ms/.exec(
          line,
        );
      const [, run = ''] = /"run":"(\w+)"/.exec(line) ?? [];
      if (words === null) continue;
      const [took = NaN, secret = NaN, accepted = NaN] = words.slice(2).map(Number);
      made.set(run, { pod: words[1] ?? '', took, secret, accepted });
    }
  });
  return {
    process: child,
    async created(run) {
      await poll(() => Promise.resolve(made.has(run)), `the pod of run ${run}`);
      return made.get(run) ?? { pod: '', took: NaN, secret: NaN, accepted: NaN };
    },
  };
}

/** A figure of the controller, over all pools. */
export async function gauge(port: number, name: string): Promise<number> {
  // It may not listen yet.
  const answer = await fetch(`http://127.0.0.1:${String(port)}/metrics`).catch(() => undefined);
  const text = (await answer?.text()) ?? '';
  const lines = text.matchAll(new RegExp(`^spacelift_workerpool_controller_${name}(?:{.*})? (.+)$`, 'gm'));
  return [...lines].reduce((sum, [, value]) => sum + Number(value), 0);
}
