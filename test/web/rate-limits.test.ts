// Pages count like questions to the API: for the key of whoever is signed in, whatever they ask for.
import { afterAll, beforeAll, expect, it } from 'vitest';
import { askerFor } from '../control-plane/api/support/ask.js';
import { openViews, type Views } from './support/filled.js';

const burst = 12;
let views: Views;
beforeAll(async () => {
  // So slowly refilled that nothing comes back while the test goes on.
  views = await openViews({ full: false, perKey: { perSecond: 0.001, burst } });
}, 180_000);
afterAll(() => views.close());

async function signIn(name: string): Promise<{
  ask: (path: string, init?: RequestInit) => Promise<Response>;
  key: { readonly id: string; readonly secret: string };
}> {
  const key = await views.key('operator', name);
  const signedIn = await fetch(`${views.url}/sign-in`, {
    method: 'POST',
    redirect: 'manual',
    headers: { 'sec-fetch-site': 'same-origin' },
    body: new URLSearchParams(key),
  });
  expect(signedIn.status).toBe(303);
  const cookie = signedIn.headers.get('set-cookie')?.split(';')[0] ?? '';
  const headers = { cookie, 'sec-fetch-site': 'same-origin' };
  return {
    key,
    ask: (path, init = {}) => fetch(`${views.url}${path}`, { redirect: 'manual', headers, ...init }),
  };
}

it('pages, forms and streams of one key are refused beyond its rate, and those of another are not', async () => {
  const { ask, key } = await signIn('ada');
  const api = await askerFor(views, key);
  const stream = new AbortController();
  expect((await ask('/live?view=stacks', { signal: stream.signal })).status).toBe(200);
  expect((await ask('/stacks/none/trigger', { method: 'POST' })).status).toBe(404);
  expect(await api.code('{ viewer { id } }')).toBeUndefined();
  for (let count = 3; count < burst; count += 1) expect((await ask('/stacks')).status).toBe(200);
  for (const [path, init] of [
    ['/stacks', {}],
    ['/live?view=stacks', {}],
    ['/stacks/none/trigger', { method: 'POST' }],
  ] as const) {
    const refused = await ask(path, init);
    expect([path, refused.status, refused.headers.get('retry-after')]).toEqual([path, 429, '1']);
    expect(await refused.text()).toContain('Too many requests of this API key');
  }
  expect(await api.code('{ viewer { id } }')).toBe('RATE_LIMITED');
  // What hangs on a page meanwhile, and whoever else is there, is served.
  expect((await fetch(`${views.url}/sign-in`)).status).toBe(200);
  const other = await signIn('grace');
  expect((await other.ask('/stacks')).status).toBe(200);
  stream.abort();
});
