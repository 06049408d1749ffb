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
  'the public pool': '/pools/public',
  stacks: '/stacks',
  'a stack': '/stacks/stack-1',
  'a run': `/stacks/stack-2/runs/${idOf('run', 1)}`,
  'activity, 24 hours': '/activity?span=24h',
  'activity, 7 days': '/activity?span=7d',
  'activity, 30 days': '/activity?span=30d',
  alarms: '/alarms',
  audit: '/audit',
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
    const timed = async (path: string) => {
      const times: number[] = [];
      for (let count = 0; count <= samples; count += 1) {
        const began = performance.now();
        const page = await fetch(`${plane.url}${path}`, { headers: { cookie }, redirect: 'manual' });
        await page.text();
        if (page.status !== 200) throw new Error(`${path} answered ${String(page.status)}`);
        // The first of each is the program's own warming up.
        if (count > 0) times.push(performance.now() - began);
      }
      return times;
    };
    const health = await timed('/healthz');
    const figures: Figure[] = [];
    for (const [name, path] of Object.entries(pages)) {
      figures.push(
        figure({
          name: `page: ${name}`,
          unit: 'ms',
          samples: await timed(path),
          reference: { what: '/healthz', samples: health },
          goal: { of: 'value', atMost: 100 },
        }),
      );
    }
    return figures;
  } finally {
    await plane.close();
  }
}
