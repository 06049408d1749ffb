// Every view, as people come to it: on a wide screen and on a phone, in light and dark, by keyboard alone; filled with
// one of everything, and on the first day. POOLWRIGHT_SCREENSHOTS=<folder> writes a picture of each, to be looked at.
import { AxeBuilder } from '@axe-core/playwright';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { chromium as browserType, type Browser, type Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { chromium, hasChromium } from '../support/skips.js';
import { browserArguments } from './support/browser.js';
import { fullPages } from './support/fill.js';
import { openViews, type Views } from './support/filled.js';

const pictures = process.env['POOLWRIGHT_SCREENSHOTS'];
const phone = { width: 390, height: 844 };
const desktop = { width: 1280, height: 800 };
const firstDay = ['pools', 'stacks', 'activity', 'alarms', 'audit', 'access', 'public pool'] as const;
/** All pages of one kind, one after the other. */
const long = 240_000;

/** In the page: what can be reached by Tab, in order, and what is focused as one goes. */
const watchFocus = `
  window.wanted = [...document.querySelectorAll('a[href], button, input, select, summary, [tabindex="0"]')]
    .filter((element) => element.checkVisibility() && element.type !== 'hidden' && element.tabIndex >= 0);
  window.unseen = [];
  window.reached = [];
  document.activeElement?.blur();
  addEventListener('focusin', ({ target }) => {
    reached.push(target);
    if (!target.matches(':focus-visible') || getComputedStyle(target).outlineStyle === 'none') unseen.push(target.outerHTML);
  });
  wanted.length`;
const missed = `({
  missed: wanted.filter((element) => !reached.includes(element)).map((element) => element.outerHTML.slice(0, 200)),
  unseen,
  inOrder: reached.every((element, index) => index === 0 || !(element.compareDocumentPosition(reached[index - 1]) & 4)),
})`;

describe.skipIf(!hasChromium('views'))('every view', () => {
  let full: Views;
  let empty: Views;
  let browser: Browser;
  beforeAll(async () => {
    [full, empty] = await Promise.all([openViews({ full: true }), openViews({ full: false })]);
    browser = await browserType.launch({ executablePath: chromium, args: browserArguments });
  }, long);
  afterAll(async () => {
    await browser.close();
    await full.close();
    await empty.close();
  });

  /** A browser of its own in which somebody is signed in. */
  async function enter(
    views: Views,
    how: Parameters<Browser['newContext']>[0] = {},
    role: 'administrator' | 'reader' = 'administrator',
  ): Promise<Page> {
    const { id } = await views.key(role, role);
    const context = await browser.newContext(how);
    const page = await context.newPage();
    await page.goto(`${views.url}/sign-in?code=${await views.signInCode(id)}`);
    await page.getByRole('button', { name: 'Sign in' }).press('Enter');
    await page.waitForURL(/\/pools$/);
    return page;
  }

  /** Everything that can be looked at, with a word for it. */
  function views(): (readonly [Views, string, string])[] {
    return [
      ...fullPages.map((name) => [full, name, full.pages[name]] as const),
      ...firstDay.map((name) => [empty, name, full.pages[name]] as const),
    ];
  }

  const isWide = (page: Page) =>
    page.evaluate<boolean>('document.documentElement.scrollWidth > document.documentElement.clientWidth');

  it.each([
    ['a phone', phone, 'light'],
    ['a phone', phone, 'dark'],
    ['a desktop', desktop, 'light'],
    ['a desktop', desktop, 'dark'],
  ] as const)('reads well on %s (%o, %s)', { timeout: long }, async (what, viewport, colorScheme) => {
    const pages = new Map<Views, Page>();
    for (const each of [full, empty]) pages.set(each, await enter(each, { viewport, colorScheme }));
    const faults: string[] = [];
    const look = async (page: Page, name: string) => {
      if (await isWide(page)) faults.push(`${name}: scrolls sideways`);
      // Once in each scheme and at each width is enough for what it finds.
      if ((what === 'a phone') === (colorScheme === 'light')) {
        const { violations } = await new AxeBuilder({ page }).setLegacyMode(true).analyze();
        faults.push(...violations.map(({ id, nodes }) => `${name}: ${id} ${nodes[0]?.html ?? ''}`));
      }
      if (pictures === undefined) return;
      await mkdir(pictures, { recursive: true });
      const file = join(pictures, `${name}, ${what}, ${colorScheme}.png`);
      await page.screenshot({ path: file, fullPage: true });
    };
    for (const [from, name, path] of views()) {
      const page = pages.get(from)!;
      // The same page with another fragment would not be loaded.
      await page.goto('about:blank');
      const answer = await page.goto(from.url + path);
      expect([name, answer?.status()]).toEqual([name, 200]);
      await look(page, `${name}${from === empty ? ', first day' : ''}`);
    }
    const outside = await (await browser.newContext({ viewport, colorScheme })).newPage();
    await outside.goto(`${full.url}/sign-in`);
    await look(outside, 'sign-in');
    await outside.context().close();
    for (const page of pages.values()) await page.context().close();
    expect(faults).toEqual([]);
  });

  it(
    'is reached by Tab in the order in which it is read, and shows where one is',
    { timeout: long },
    async () => {
      const page = await enter(full, { viewport: desktop });
      const faults: string[] = [];
      // Where the address names a row, browsers go on from there.
      for (const name of fullPages.filter((each) => each !== 'one worker')) {
        await page.goto(full.url + full.pages[name]);
        // The phases of its log are buttons.
        if (name === 'failed run') await page.locator('#log.ended').waitFor();
        const count = await page.evaluate<number>(watchFocus);
        for (let index = 0; index < count; index += 1) await page.keyboard.press('Tab');
        const seen = await page.evaluate<{ missed: string[]; unseen: string[]; inOrder: boolean }>(missed);
        faults.push(...seen.missed.map((html) => `${name}: Tab passes over ${html}`));
        faults.push(...seen.unseen.map((html) => `${name}: no outline around ${html}`));
        if (!seen.inOrder) faults.push(`${name}: Tab jumps back`);
      }
      await page.context().close();
      expect(faults).toEqual([]);
    },
  );

  it('says to a reader why its buttons are off, where there are any', { timeout: long }, async () => {
    const page = await enter(full, { viewport: phone }, 'reader');
    const orders = {
      workers: ['drain all', 'undrain all', 'cycle', /^drain worker/],
      stack: ['trigger a run'],
      'unconfirmed run': ['confirm', 'discard'],
    } as const;
    for (const [name, buttons] of Object.entries(orders) as [
      keyof typeof orders,
      readonly (string | RegExp)[],
    ][])
      for (const button of buttons) {
        await page.goto(full.url + full.pages[name]);
        const off = page.getByRole('button', { name: button, disabled: true, exact: true }).first();
        await off.focus();
        const tip = page.locator('.tip:visible');
        expect(await tip.textContent()).toBe('Not now: reader may read only.');
        expect(await isWide(page)).toBe(false);
      }
    expect((await page.goto(`${full.url}/access`))?.status()).toBe(403);
    expect(await page.getByRole('link', { name: 'Access' }).count()).toBe(0);
    await page.context().close();
  });

  it('is driven by keyboard alone on a phone: filters, pages, rows and orders, each an address', async () => {
    const page = await enter(full, { viewport: phone });
    await page.goto(full.url + full.pages['stack']);
    await page.getByLabel('State').focus();
    await page.keyboard.type('failed');
    await page.getByRole('button', { name: 'filter' }).press('Enter');
    await page.waitForURL(/state=FAILED/);
    expect(new Set(await page.locator('.rows .badge').allTextContents())).toEqual(new Set(['FAILED']));
    await page.getByRole('link', { name: 'show all' }).press('Enter');
    await page.getByRole('link', { name: 'Older runs' }).press('Enter');
    await page.waitForURL(/before=/);
    await page.getByRole('link', { name: 'First page' }).press('Enter');
    await page.getByRole('link', { name: 'Webhooks' }).press('Enter');
    await page.waitForURL(/\/webhooks$/);
    await page.getByText('started run').waitFor();
    await page.goto(`${full.url}/stacks`);
    await page.getByLabel('Name, label or repository').fill('invoices');
    await page.keyboard.press('Enter');
    await page.waitForURL(/text=invoices/);
    expect(await page.locator('tbody tr').count()).toBe(1);
    await page.goto(full.url + full.pages['one worker']);
    expect(await page.locator('tr:target').getByText('BUSY').count()).toBe(1);
    await page.goto(`${full.url}/access`);
    await page.getByText('Make a key …').press('Enter');
    await page.getByLabel('Name').fill('made here');
    await page.getByLabel('Days').fill('30');
    await page.keyboard.press('Enter');
    await page.getByText('The API key made here is made.').waitFor();
    await page.getByLabel('revoke made here …').press('Enter');
    await page.getByRole('button', { name: 'revoke made here', exact: true }).press('Enter');
    await page
      .getByRole('row', { name: /made here/ })
      .getByText('revoked', { exact: true })
      .waitFor();
    await page.context().close();
  });
});
