// Sessions of browsers: when they end, that nobody can be given one, and that no other site acts with them.
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openViews, type Views } from './support/filled.js';

let views: Views;
beforeAll(async () => {
  views = await openViews({ full: true });
}, 120_000);
afterAll(() => views.close());

const cookieOf = (answer: Response) => answer.headers.getSetCookie()[0]?.split(';')[0] ?? '';

function post(path: string, headers: Readonly<Record<string, string>>, body: Record<string, string> = {}) {
  return fetch(views.url + path, {
    method: 'POST',
    headers,
    body: new URLSearchParams(body),
    redirect: 'manual',
  });
}

async function signIn(
  key: { id: string; secret: string },
  headers: Readonly<Record<string, string>> = {},
): Promise<string> {
  const answer = await post('/sign-in', headers, key);
  expect(answer.status).toBe(303);
  return cookieOf(answer);
}

const look = async (cookie: string, path = '/pools') =>
  (await fetch(views.url + path, { headers: { cookie }, redirect: 'manual' })).status;

describe('a session', () => {
  it('ends for every copy of its cookie when its person signs out, and no other one of theirs does', async () => {
    const key = await views.key('operator', 'leaving');
    const [here, elsewhere] = [await signIn(key), await signIn(key)];
    expect(await look(here)).toBe(200);
    expect((await post('/sign-out', { cookie: here })).status).toBe(303);
    expect(await look(here)).toBe(303);
    expect(await look(elsewhere)).toBe(200);
  });

  it('ends what follows a page within a beat, too', async () => {
    const cookie = await signIn(await views.key('reader', 'following'));
    const stream = await fetch(`${views.url}/live?view=pools`, { headers: { cookie } });
    const reader = stream.body!.getReader();
    await reader.read();
    await post('/sign-out', { cookie });
    views.context.events.emit({ kind: 'pool', pool: 'any' });
    let rest = '';
    for (let part = await reader.read(); !part.done; part = await reader.read())
      rest += Buffer.from(part.value).toString();
    expect(rest).not.toContain('changed');
  });

  it('is a new one at each sign-in: the one that the browser came with is not taken, and ends', async () => {
    const given = await signIn(await views.key('reader', 'who means ill'));
    const own = await signIn(await views.key('administrator', 'who is led'), { cookie: given });
    expect(own).not.toBe(given);
    expect(await look(own, '/access')).toBe(200);
    expect(await look(given)).toBe(303);
    expect(await look(`${given.split('=')[0] ?? ''}=made-up`)).toBe(303);
  });

  it('has a cookie that scripts, other sites and other hosts do not get', async () => {
    const answer = await post('/sign-in', {}, await views.key('reader', 'with a cookie'));
    expect(answer.headers.getSetCookie()[0]).toMatch(/; Path=\/; HttpOnly; SameSite=Strict$/);
  });

  it('does nothing for the page of another site, whatever the form', async () => {
    const key = await views.key('administrator', 'led elsewhere');
    const cookie = await signIn(key);
    const { pools, workers, stack } = views.pages;
    const forms = [
      '/sign-in',
      '/sign-out',
      '/access',
      `/access/${key.id}/revoke`,
      `/access/${key.id}/end-sessions`,
      ...['drain', 'undrain', 'cycle'].map((order) => `${workers}/${order}`),
      `${workers}/workers/${key.id}/drain`,
      `${stack}/trigger`,
      `${views.pages['unconfirmed run']}/confirm`,
    ];
    const before = await changes();
    for (const path of forms)
      for (const from of [
        { 'sec-fetch-site': 'cross-site' },
        { 'sec-fetch-site': 'same-site' },
        { origin: 'http://elsewhere.example' },
        { origin: 'null' },
      ] as const)
        expect([path, from, (await post(path, { cookie, ...from }, key)).status]).toEqual([path, from, 403]);
    expect(await changes()).toBe(before);
    expect(await look(cookie, pools)).toBe(200);
  });
});

describe('the page of keys', () => {
  const idIn = (page: string) => /name="id" value="([^"]*)"/.exec(page)?.[1] ?? '';

  it('makes one key of a form that is sent again, and another one of the form after it', async () => {
    const cookie = await signIn(await views.key('administrator', 'who makes keys'));
    const first = idIn(await (await fetch(`${views.url}/access`, { headers: { cookie } })).text());
    const form = { name: 'made by a form', role: 'reader', space: 'root', days: '' };
    const answer = await post('/access', { cookie }, { ...form, id: first });
    expect(answer.status).toBe(200);
    const page = await answer.text();
    expect(page).toContain('is made.');
    const again = await post('/access', { cookie }, { ...form, id: first });
    expect(again.status).toBe(409);
    expect(await again.text()).toContain('is made already');
    const without = await post('/access', { cookie }, form);
    expect(without.status).toBe(400);
    expect((await post('/access', { cookie }, { ...form, id: idIn(page) })).status).toBe(200);
    const keys = await views.context.db
      .selectFrom('api_keys')
      .select('id')
      .where('name', '=', form.name)
      .orderBy('id')
      .execute();
    expect(keys.map(({ id }) => id).toSorted()).toEqual([first, idIn(page)].toSorted());
  });
});

async function changes(): Promise<number> {
  const rows = await views.context.db.selectFrom('audit_entries').select('id').execute();
  return rows.length;
}

describe('the audit log', () => {
  it('tells of keys and people to administrators only, also where a key is for all spaces', async () => {
    for (const [role, seen] of [
      ['administrator', true],
      ['operator', false],
      ['reader', false],
    ] as const) {
      const cookie = await signIn(await views.key(role, `${role} of all`));
      const page = await (await fetch(`${views.url}/audit`, { headers: { cookie } })).text();
      expect([role, page.includes('>api-key.create<')]).toEqual([role, seen]);
      const stacks = await (await fetch(`${views.url}/audit?type=stack`, { headers: { cookie } })).text();
      expect(stacks).toContain('>stack.create<');
    }
  });
});
