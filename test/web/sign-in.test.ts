// Signing in by OpenID Connect at a real provider: as a browser does it, and as somebody who means ill.
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { chromium as browserType } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { askerFor, type Asker } from '../control-plane/api/support/ask.js';
import { startControlPlane, type TestPlane } from '../support/control-plane.js';
import { chromium, hasChromium } from '../support/skips.js';
import { browserArguments } from './support/browser.js';
import { client, startProvider, type TestProvider } from './support/openid-provider.js';

let folder: string;
let provider: TestProvider;
let plane: TestPlane;
let admin: Asker;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'poolwright-oidc-'));
  provider = await startProvider();
  plane = await startControlPlane(folder, {
    serve: {
      oidc: {
        issuer: provider.issuer,
        clientId: client.id,
        clientSecret: client.secret,
        label: 'the test',
        scopes: ['openid', 'profile', 'email', 'groups'],
        nameClaims: ['email', 'preferred_username'],
        roles: [
          { claim: 'groups', value: 'platform', role: 'administrator', spaces: ['root'] },
          { claim: 'groups', value: 'lab', role: 'operator', spaces: ['lab'] },
          { claim: 'groups', value: 'guests', role: 'reader', spaces: ['root'] },
        ],
      },
      rates: { key: { perSecond: 1000, burst: 1000 }, address: { perSecond: 1000, burst: 1000 } },
    },
  });
  admin = await askerFor(plane, plane.key);
}, 180_000);
afterAll(async () => {
  await plane.close();
  await provider.close();
  await rm(folder, { recursive: true });
});

/** Cookies as a browser keeps them, by host, and no redirect that is not asked for. */
class Browser {
  readonly #cookies = new Map<string, string>();

  async get(url: string | URL): Promise<Response> {
    const { host } = new URL(url);
    const cookie = [...this.#cookies]
      .filter(([key]) => key.startsWith(`${host} `))
      .map(([key, value]) => `${key.slice(host.length + 1)}=${value}`)
      .join('; ');
    const response = await fetch(url, { redirect: 'manual', headers: { cookie } });
    for (const line of response.headers.getSetCookie()) {
      const [, name = '', value = ''] = /^([^=]+)=([^;]*)/.exec(line) ?? [];
      if (value === '' || /max-age=0/i.test(line)) this.#cookies.delete(`${host} ${name}`);
      else this.#cookies.set(`${host} ${name}`, value);
    }
    return response;
  }

  /** Follows redirects as long as they lead to the provider; answers where the next one leads. */
  async follow(from: string): Promise<URL> {
    let url = new URL(from);
    for (let count = 0; count < 10; count += 1) {
      const response = await this.get(url);
      url = new URL(response.headers.get('location') ?? '', url);
      if (url.origin !== provider.issuer) return url;
    }
    throw new Error(`no end of redirects at ${url.href}`);
  }

  cookie(name: string): string | undefined {
    return this.#cookies.get(`${new URL(plane.url).host} ${name}`);
  }

  set(name: string, value: string): void {
    this.#cookies.set(`${new URL(plane.url).host} ${name}`, value);
  }
}

let people = 0;

/** Somebody with an account at the provider. */
function person(groups: readonly string[]): { sub: string; email: string } {
  people += 1;
  const sub = `person-${String(people)}`;
  const email = `${sub}@acme.example`;
  provider.accounts.set(sub, { email, email_verified: true, groups });
  provider.person = sub;
  return { sub, email };
}

/** Up to the address at which the provider sends the browser back. */
async function begun(browser: Browser): Promise<URL> {
  provider.serve(`${plane.url}/sign-in/oidc/callback`);
  return browser.follow(`${plane.url}/sign-in/oidc`);
}

async function signedIn(): Promise<{ browser: Browser; answer: Response }> {
  const browser = new Browser();
  return { browser, answer: await browser.get(await begun(browser)) };
}

describe('somebody with an account', () => {
  it('is offered the provider, asked for with PKCE, state and nonce, and is in', async () => {
    const { email } = person(['lab', 'others']);
    const browser = new Browser();
    expect(await (await browser.get(`${plane.url}/sign-in`)).text()).toContain('Sign in with the test');
    provider.serve(`${plane.url}/sign-in/oidc/callback`);
    const asked = new URL((await browser.get(`${plane.url}/sign-in/oidc`)).headers.get('location') ?? '');
    expect(Object.fromEntries(asked.searchParams)).toMatchObject({
      response_type: 'code',
      code_challenge_method: 'S256',
      code_challenge: expect.stringMatching(/^[\w-]{43}$/) as string,
      state: expect.stringMatching(/^[\w-]{43}$/) as string,
      nonce: expect.stringMatching(/^[\w-]{43}$/) as string,
      redirect_uri: `${plane.url}/sign-in/oidc/callback`,
    });
    const answer = await browser.get(await browser.follow(asked.href));
    expect(answer.status).toBe(200);
    expect(answer.headers.get('refresh')).toBe('0; url=/pools');
    expect(answer.headers.getSetCookie().find((line) => line.startsWith('poolwright='))).toMatch(
      /HttpOnly; SameSite=Strict/,
    );
    expect(await (await browser.get(`${plane.url}/pools`)).text()).toContain(email);
    const { apiKeys } = await admin.data<{ apiKeys: Record<string, unknown>[] }>(
      '{ apiKeys { name role spaces subject } }',
    );
    expect(apiKeys.at(-1)).toMatchObject({ name: email, role: 'OPERATOR', spaces: ['lab'] });
  });

  it('has the role of now, also in sessions of earlier, and none once it is revoked', async () => {
    const { sub, email } = person(['platform']);
    const { browser } = await signedIn();
    provider.accounts.set(sub, { email, groups: ['guests'] });
    const { browser: second } = await signedIn();
    const find = async () =>
      (
        await admin.data<{ apiKeys: { id: string; name: string; role: string }[] }>(
          '{ apiKeys { id name role } }',
        )
      ).apiKeys.filter(({ name }) => name === email);
    const found = await find();
    expect(found).toMatchObject([{ role: 'READER' }]);
    await admin.data('mutation ($id: ID!) { apiKeyRevoke(id: $id) { id } }', { id: found[0]?.id });
    for (const old of [browser, second])
      expect((await old.get(`${plane.url}/pools`)).headers.get('location')).toBe('/sign-in');
    expect((await signedIn()).answer.status).toBe(403);
    expect(await find()).toHaveLength(1);
  });

  it('is on record with what was given to them', async () => {
    const { email } = person(['guests']);
    await signedIn();
    const { searchAuditEntries } = await admin.data<{ searchAuditEntries: { edges: { node: unknown }[] } }>(
      '{ searchAuditEntries(input: { first: 1 }) { edges { node { username action after } } } }',
    );
    expect(searchAuditEntries.edges[0]?.node).toMatchObject({
      username: email,
      action: 'person.create',
      after: expect.stringContaining('reader') as string,
    });
  });

  it('has no secret that a key could be used with', async () => {
    const { email } = person(['platform']);
    await signedIn();
    const { apiKeys } = await admin.data<{ apiKeys: { id: string; name: string }[] }>(
      '{ apiKeys { id name } }',
    );
    const id = apiKeys.find(({ name }) => name === email)?.id;
    const anybody = await askerFor(plane);
    for (const secret of ['', 'x']) {
      const query = 'mutation ($id: ID!, $secret: String!) { apiKeyUser(id: $id, secret: $secret) { jwt } }';
      expect(await anybody.code(query, { id, secret })).toBe('UNAUTHORIZED');
    }
  });
});

describe('nobody is let in', () => {
  const refused = async (browser: Browser, url: URL | string, status: number) => {
    const answer = await browser.get(url);
    expect(answer.status).toBe(status);
    expect(answer.headers.getSetCookie().some((line) => line.startsWith('poolwright='))).toBe(false);
    return answer.text();
  };

  it('without a role', async () => {
    person(['others']);
    const browser = new Browser();
    expect(await refused(browser, await begun(browser), 403)).toContain('no role is meant for it');
  });

  it('who goes away at the provider', async () => {
    person(['platform']);
    provider.person = null;
    const browser = new Browser();
    expect(await refused(browser, await begun(browser), 401)).toContain('did not confirm');
  });

  it('with the answer to a question that another browser asked', async () => {
    person(['platform']);
    const [victim, attacker] = [new Browser(), new Browser()];
    await refused(victim, await begun(attacker), 401);
    // Also not where the victim is about to sign in: the state is another one.
    const own = await begun(victim);
    await refused(victim, await begun(attacker), 401);
    // And the question counts once.
    await refused(victim, own, 401);
  });

  it('twice with the same answer', async () => {
    person(['platform']);
    const browser = new Browser();
    const url = await begun(browser);
    const ticket = browser.cookie('poolwright-oidc') ?? '';
    expect((await browser.get(url)).status).toBe(200);
    const second = new Browser();
    second.set('poolwright-oidc', ticket);
    await refused(second, url, 401);
  });

  it('with a ticket that is not ours, or a code that is none', async () => {
    person(['platform']);
    const browser = new Browser();
    const url = await begun(browser);
    const other = new URL(url);
    other.searchParams.set('code', 'made up');
    const ticket = browser.cookie('poolwright-oidc') ?? '';
    await refused(browser, other, 401);
    browser.set('poolwright-oidc', `${ticket.slice(0, -4)}AAAA`);
    await refused(browser, url, 401);
    browser.set('poolwright-oidc', ticket);
    expect((await browser.get(url)).status).toBe(200);
  });
});

it.skipIf(!hasChromium('sign-in by OpenID Connect'))(
  'a real browser is in after one click',
  async () => {
    const { email } = person(['platform']);
    provider.serve(`${plane.url}/sign-in/oidc/callback`);
    const browser = await browserType.launch({
      executablePath: chromium,
      args: browserArguments,
    });
    try {
      const page = await browser.newPage();
      await page.goto(`${plane.url}/sign-in`);
      await page.getByRole('link', { name: 'Sign in with the test' }).click();
      await page.waitForURL(/\/pools$/, { timeout: 60_000 });
      expect(await page.locator('header').textContent()).toContain(email);
    } finally {
      await browser.close();
    }
  },
  120_000,
);
