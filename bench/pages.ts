// How long the pages of a control plane with 10,000 runs take, embedded, from request to the last byte: beside the
// health check, which is the same way without a database and a page.
import { mkdir } from 'node:fs/promises';
import { figure, type Figure } from './figure.js';
import { idOf, usualHistory, writeHistory } from './support/history.js';
import { startPlane } from './support/plane.js';

const samples = 15;

const pages = {
  pools: '/pools',
  'a pool': `/pools/${idOf('pool', 1)}`,
  'a queue': `/pools/${idOf('pool', 1)}/queued`,
  'used by a pool': `/pools/${idOf('pool', 1)}/used-by`,
  'activity of a pool, 24 hours': `/pools/${idOf('pool', 1)}/activity?span=24h`,
  'the public pool': '/pools/public',
  'used by the public pool': '/pools/public/used-by',
  stacks: '/stacks',
  'a stack': '/stacks/stack-1',
  'environment of a stack': '/stacks/stack-1/environment',
  'webhooks of a stack': '/stacks/stack-1/webhooks',
  'a run': `/stacks/stack-2/runs/${idOf('run', 1)}`,
  'activity, 24 hours': '/activity?span=24h',
  'activity, 7 days': '/activity?span=7d',
  'activity, 30 days': '/activity?span=30d',
  alarms: '/alarms',
  audit: '/audit',
  access: '/access',
} as const;

export async function bench(): Promise<Figure[]> {
  const plane = await startPlane({
    prepare: async (folder) => {
      await mkdir(folder, { recursive: true, mode: 0o700 });
      await writeHistory(folder, Date.now(), usualHistory);
    },
  });
  try {
    const { id, secret } = plane.key;
    const answer = await fetch(`${plane.url}/sign-in`, {
      method: 'POST',
      body: new URLSearchParams({ id, secret }),
      redirect: 'manual',
    });
    const cookie = answer.headers.get('set-cookie')?.split(';')[0] ?? '';
    /** Milliseconds; the first is the program's own warming up and counts apart. */
    const timed = async (path: string) => {
      const [first = 0, ...later] = await times(path);
      return { first, later };
    };
    const times = async (path: string) => {
      const taken: number[] = [];
      for (let count = 0; count <= samples; count += 1) {
        const began = performance.now();
        const page = await fetch(`${plane.url}${path}`, { headers: { cookie }, redirect: 'manual' });
        await page.text();
        if (page.status !== 200) throw new Error(`${path} answered ${String(page.status)}`);
        taken.push(performance.now() - began);
      }
      return taken;
    };
    const health = await times('/healthz');
    const figures: Figure[] = [];
    for (const [name, path] of Object.entries(pages)) {
      const { first, later } = await timed(path);
      figures.push(
        figure({
          name: `page: ${name}`,
          unit: 'ms',
          samples: later,
          reference: { what: '/healthz', samples: health },
          goal: { of: 'value', atMost: 100 },
          note: `the first ${first.toFixed(0)} ms`,
        }),
      );
    }
    return figures;
  } finally {
    await plane.close();
  }
}
