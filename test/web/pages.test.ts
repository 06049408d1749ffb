// The pages in a real browser, on a real local pool whose example has run.
import { chromium as browserType, type Browser, type BrowserContext, type Page } from 'playwright-core';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as z from 'zod';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { chromium, hasChromium } from '../support/skips.js';
import { browserArguments } from './support/browser.js';
import { startControlPlane, type TestPlane } from '../support/control-plane.js';
import { until } from '../launcher/support/until.js';

/** Milliseconds for what takes many pages, on a machine that does other things as well. */
const long = 120_000;
/** In the longest log: beyond 800,000 it is taller than browsers scroll. POOLWRIGHT_LOG_LINES=1000000 takes a minute more. */
const logLines = Number(process.env['POOLWRIGHT_LOG_LINES'] ?? '30000');

/** Another attempt's log of that many lines, as the control plane stores it. */
function writeLog(file: string, count: number): Promise<void> {
  const lines = Array.from({ length: count }, (_, index) =>
    JSON.stringify({
      n: index + 1,
      t: Date.now(),
      k: 'log',
      s: 'PLANNING',
      m: `needle of line ${String(index + 1)}\n`,
    }),
  );
  return writeFile(file, `${lines.join('\n')}\n`);
}

const keyAnswer = z.object({ apiKeyCreate: z.object({ id: z.string(), secret: z.string() }) });

describe.skipIf(!hasChromium('pages'))('the pages', () => {
  let plane: TestPlane;
  let browser: Browser;
  let context: BrowserContext;
  let page: Page;
  let folder: string;
  let faults: string[] = [];

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'poolwright-web-'));
    plane = await startControlPlane(folder, { launchers: 1 });
    browser = await browserType.launch({ executablePath: chromium, args: browserArguments });
    await open();
    await page.goto(await plane.signInLink());
    await page.getByRole('button', { name: 'Sign in' }).press('Enter');
    await page.waitForURL(/\/pools$/);
  }, long);

  afterAll(async () => {
    await browser.close();
    await plane.close();
    await rm(folder, { recursive: true });
  });

  afterEach(() => {
    const seen = faults;
    faults = [];
    expect(seen).toEqual([]);
  });

  async function open(): Promise<void> {
    context = await browser.newContext();
    page = await context.newPage();
    // Among them every breach of the content security policy.
    page.on('console', (message) => {
      if (message.type() === 'error') faults.push(message.text());
    });
    page.on('pageerror', (error) => faults.push(error.message));
  }

  const at = (path: string) => page.goto(`${plane.url}${path}`);

  it('sign in by a link only once', async () => {
    const link = await plane.signInLink();
    const other = await browser.newContext();
    for (const expected of [/\/pools$/, /\/sign-in/]) {
      const second = await other.newPage();
      await second.goto(link);
      await second.getByRole('button', { name: 'Sign in' }).click();
      await second.waitForURL(expected);
      await other.clearCookies();
    }
    await other.close();
  });

  it('sign in by an API key, and say when it is wrong', async () => {
    const other = await browser.newContext();
    const second = await other.newPage();
    await second.goto(`${plane.url}/`);
    await second.waitForURL(/\/sign-in$/);
    await second.getByLabel('API key id').fill(plane.key.id);
    await second.getByLabel('Secret').fill('wrong');
    await second.keyboard.press('Enter');
    await second.getByRole('alert').waitFor();
    await second.getByLabel('API key id').fill(plane.key.id);
    await second.getByLabel('Secret').fill(plane.key.secret);
    await second.keyboard.press('Enter');
    await second.waitForURL(/\/pools$/);
    await other.close();
  });

  it('read no more of a form than a sign-in needs', async () => {
    const signIn = (secret: string) =>
      fetch(`${plane.url}/sign-in`, {
        method: 'POST',
        body: new URLSearchParams({ id: plane.key.id, secret }),
        redirect: 'manual',
      });
    expect((await signIn('x'.repeat(20_000))).status).toBe(413);
    expect((await signIn('wrong')).status).toBe(401);
    expect((await signIn(plane.key.secret)).status).toBe(303);
  });

  it('refuse a form of another site', async () => {
    const cookies = await context.cookies();
    const cookie = cookies.map(({ name, value }) => `${name}=${value}`).join('; ');
    const stop = (headers: Record<string, string>) =>
      fetch(`${plane.url}/pools/${plane.pool}/workers/${plane.pool}/drain`, {
        method: 'POST',
        headers: { cookie, ...headers },
        redirect: 'manual',
      });
    expect((await stop({ 'sec-fetch-site': 'cross-site' })).status).toBe(403);
    expect((await stop({ origin: 'http://elsewhere.example' })).status).toBe(403);
    expect((await stop({ origin: plane.url })).status).toBe(404);
  });

  it('show a pool that is made elsewhere without being loaded again', async () => {
    await at('/pools');
    await plane.createPool('made elsewhere');
    await page.getByRole('link', { name: 'made elsewhere' }).waitFor();
  });

  it('ask again for what they follow, when that was refused', async () => {
    /** Refuses the first request; the second one and others go through. Answers how many there were. */
    const refuseOnce = async (pattern: string | RegExp) => {
      let asked = 0;
      await page.route(pattern, (route) => {
        asked += 1;
        return asked === 1 ? route.fulfill({ status: 429 }) : route.continue();
      });
      return () => asked;
    };
    const asked = await refuseOnce('**/live?*');
    await page.goto(`${plane.url}/pools`);
    await until(() => asked() > 1, 'the page asks again');
    await plane.createPool('made after a refusal');
    await page.getByRole('link', { name: 'made after a refusal' }).waitFor();

    const { stack, run } = await plane.triggerRun(
      { planCommands: ['echo a line of a log'] },
      { runType: 'PROPOSED' },
    );
    await plane.reached(stack, run, 'FINISHED');
    await refuseOnce(/\/log$/);
    await page.goto(`${plane.url}/stacks/${stack}/runs/${run}`);
    await page.getByText('has refused the log for now').waitFor();
    await page.getByText('a line of a log', { exact: true }).waitFor();
    await page.unrouteAll({ behavior: 'ignoreErrors' });
    expect(faults.length).toBeGreaterThan(0);
    faults = faults.filter((fault) => !fault.includes('429'));
  });

  it('show the log of a run as it is written, and let a plan be confirmed by keyboard', async () => {
    const { stack, run } = await plane.triggerRun({
      planCommands: [
        'echo first line',
        'sleep 1; printf "\\033[32mgreen\\033[0m <script>alert(1)</script>\\n"',
      ],
      applyCommands: ['echo applied'],
    });
    await at(`/stacks/${stack}/runs/${run}`);
    const log = page.getByRole('log');
    await log.getByText('first line').waitFor();
    await log.getByText('<script>alert(1)</script>').waitFor();
    expect(await log.locator('.green').textContent()).toBe('green');
    const confirm = page.getByRole('button', { name: 'confirm', disabled: false });
    await confirm.waitFor();
    await confirm.focus();
    await page.keyboard.press('Enter');
    await log.getByText('applied', { exact: true }).waitFor();
    await page.getByRole('heading', { level: 1 }).getByText('FINISHED').waitFor();
    const off = page.getByRole('button', { name: 'confirm', disabled: true });
    await off.focus();
    await page.getByText('Not now: it has ended as FINISHED.').first().waitFor();
    const text = await (await page.request.get(`${plane.url}/stacks/${stack}/runs/${run}/log.txt`)).text();
    expect(text).toContain('first line');
  });

  it('stop a run that works, with a note, and retry it', { timeout: long }, async () => {
    const { stack, run } = await plane.triggerRun({ planCommands: ['echo working; sleep 60'] });
    await at(`/stacks/${stack}/runs/${run}`);
    await page.getByRole('log').getByText('working').waitFor();
    await page.getByText('stop …').press('Enter');
    await page.getByLabel('Why (optional)').fill('wrong branch');
    await page.keyboard.press('Enter');
    await page.getByRole('heading', { level: 1 }).getByText('STOPPED').waitFor({ timeout: 20_000 });
    await page.locator('.timeline').getByText('wrong branch').waitFor();
    await page.getByRole('button', { name: 'retry' }).click();
    await page.getByRole('link', { name: run }).waitFor();
    expect(page.url()).not.toContain(run);
    await page.getByText('working').waitFor();
    await page.getByText('stop …').click();
    await page.getByRole('button', { name: 'stop the run' }).click();
    await page.getByRole('heading', { level: 1 }).getByText('STOPPED').waitFor({ timeout: 20_000 });
  });

  it('scroll, search and link a log that is too long for a page', { timeout: long }, async () => {
    const { stack, run } = await plane.triggerRun({ planCommands: ['echo short'] }, { runType: 'PROPOSED' });
    await plane.reached(stack, run, 'FINISHED');
    await writeLog(join(folder, 'data', 'logs', run, '2.ndjson'), logLines);
    await at(`/stacks/${stack}/runs/${run}`);
    const log = page.getByRole('log');
    const middle = String(logLines / 2);
    await log.getByText(`needle of line ${String(logLines)}`, { exact: true }).waitFor();
    expect(await log.locator('.row').count()).toBeLessThan(150);
    await page.getByRole('button', { name: 'follow' }).click();
    await log.focus();
    await page.keyboard.press('Home');
    await log.getByText('short', { exact: true }).waitFor();
    await page.getByRole('searchbox', { name: 'Search the log' }).fill(`NEEDLE of line ${middle}`);
    await page.getByText('1 line', { exact: true }).waitFor();
    await page.keyboard.press('Enter');
    await log.locator('mark').waitFor();
    const number = await log.locator('.current a').getAttribute('data-number');
    await at(`/stacks/${stack}/runs/${run}#L${number!}`);
    await page.reload();
    await log.locator('.current').getByText(`needle of line ${middle}`, { exact: true }).waitFor();
    const download = page.waitForEvent('download');
    await page.getByRole('link', { name: 'download' }).click();
    expect((await download).suggestedFilename()).toBe(`${run}.log`);
  });

  it('drain and undrain a worker', async () => {
    await at(`/pools/${plane.pool}`);
    await page.getByRole('button', { name: /^drain worker/ }).click();
    await page.getByText('DRAINED', { exact: true }).waitFor();
    await page.getByRole('button', { name: /^undrain worker/ }).click();
    await page.getByText('IDLE', { exact: true }).waitFor();
  });

  it('drain and undrain all workers, and say in the queue why a run waits', async () => {
    await at(`/pools/${plane.pool}`);
    await page.getByRole('button', { name: 'drain all', exact: true }).press('Enter');
    await page.getByText('DRAINED', { exact: true }).waitFor();
    const reason = 'no idle worker: 1 of 1 drained';
    const { stack, run } = await plane.triggerRun({ planCommands: ['echo waited'], autodeploy: true });
    await page.getByRole('link', { name: 'Queued' }).click();
    await page.waitForURL(/\/queued$/);
    await page.getByText(reason).waitFor();
    await page.getByRole('searchbox').fill('of nobody');
    await page.keyboard.press('Enter');
    await page.getByText('No run of this queue is like that.').waitFor();
    await page.getByRole('searchbox').fill(stack);
    await page.getByLabel('Type').selectOption('TRACKED');
    await page.getByRole('button', { name: 'filter' }).click();
    await page.getByText(reason).waitFor();
    await at(`/pools/${plane.pool}`);
    await page.getByRole('button', { name: 'undrain all' }).click();
    await page.getByRole('button', { name: 'drain all', exact: true }).waitFor();
    await plane.reached(stack, run, 'FINISHED');
    await page.getByRole('link', { name: 'Used by' }).click();
    await page.locator(`a[href="/stacks/${stack}"]`).waitFor();
  });

  it('show the queue of the public pool and not its workers, also by its id', async () => {
    await at('/pools/00000000000000000000000001');
    expect(new URL(page.url()).pathname).toBe('/pools/public');
    expect(await page.getByRole('link', { name: 'Workers' }).count()).toBe(0);
    expect((await page.request.get(`${plane.url}/pools/public/workers`)).status()).toBe(404);
  });

  it('show a reader of all spaces no orders and obey none; show a key of another space nothing', async () => {
    await plane.client.request(
      'mutation { spaceCreate(input: { name: "Apart", parentSpace: "root" }) { id } }',
      {},
      z.unknown(),
    );
    for (const [space, status] of [
      ['root', 200],
      ['apart', 404],
    ] as const) {
      const other = await browser.newContext();
      const { apiKeyCreate } = await plane.client.request(
        'mutation ($space: ID!) { apiKeyCreate(input: { name: "reader", role: READER, spaces: [$space] }) { id secret } }',
        { space },
        keyAnswer,
      );
      await other.request.post(`${plane.url}/sign-in`, { form: apiKeyCreate });
      for (const tab of ['', '/queued', '/used-by', '/activity']) {
        const answer = await other.request.get(`${plane.url}/pools/${plane.pool}${tab}`);
        expect([tab, answer.status()]).toEqual([tab, status]);
        expect(await answer.text()).not.toMatch(/action="\/pools\/[^"]*\/(un)?(drain|cycle)"/);
      }
      for (const order of ['drain', 'undrain', 'cycle']) {
        const answer = await other.request.post(`${plane.url}/pools/${plane.pool}/${order}`);
        expect([order, answer.status()]).toEqual([order, 403]);
      }
      expect((await other.request.get(`${plane.url}/pools/public`)).status()).toBe(200);
      expect((await other.request.get(`${plane.url}/activity?pool=${plane.pool}`)).status()).toBe(status);
      const audit = await (await other.request.get(`${plane.url}/audit`)).text();
      expect(audit).not.toContain('>api-key.create<');
      expect(audit.includes('>worker-pool.create<')).toBe(space === 'root');
      await other.close();
    }
  });

  it('show on record who changed what, from what to what, with a filter that is part of the address', async () => {
    const { id } = await plane.client.request(
      'mutation ($name: String!) { spaceCreate(input: { name: $name, parentSpace: "root" }) { id } }',
      { name: 'Audited' },
      z.object({ spaceCreate: z.object({ id: z.string() }) }).transform(({ spaceCreate }) => spaceCreate),
    );
    await plane.client.request(
      'mutation ($id: ID!) { spaceUpdate(id: $id, input: { name: "Renamed" }) { id } }',
      { id },
      z.unknown(),
    );
    await at('/audit');
    await page.getByLabel('Text').fill('renamed');
    await page.getByLabel('What').selectOption('space');
    await page.keyboard.press('Enter');
    await page.waitForURL(/text=renamed/);
    const entry = page.getByRole('main').getByRole('listitem').first();
    expect(await entry.locator('del').textContent()).toBe('Audited');
    expect(await entry.locator('ins').textContent()).toBe('Renamed');
    await page.getByLabel('Text').fill('of nothing at all');
    await page.keyboard.press('Enter');
    await page.getByText('No change is like that').waitFor();
  });

  it('show activity as charts and as tables, and say when nothing is wrong', async () => {
    const { stack, run } = await plane.triggerRun({ planCommands: ['exit 3'] });
    await plane.reached(stack, run, 'FAILED');
    await at('/activity?span=1h');
    const failures = page.getByRole('figure', { name: 'Failures by cause' });
    await failures.getByText('COMMAND_FAILED').first().waitFor();
    expect(await failures.locator('rect.f1').count()).toBeGreaterThan(0);
    await failures.getByText('As a table').press('Enter');
    await failures.getByRole('columnheader', { name: 'COMMAND_FAILED' }).waitFor();
    await page.getByRole('link', { name: 'last 30 days' }).click();
    await page.waitForURL(/span=30d/);
    await page.getByRole('link', { name: 'Alarms' }).click();
    await page.getByText('Nothing needs you.').waitFor();
  });

  it('say what is not there', async () => {
    for (const path of ['/stacks/nowhere', '/nowhere']) {
      const answer = await at(path);
      expect(answer?.status()).toBe(404);
      expect(await page.getByRole('main').textContent()).toContain('nowhere');
    }
    faults = faults.filter((fault) => !fault.includes('404'));
  });

  it('cycle a pool: its idle worker ends', async () => {
    await at(`/pools/${plane.pool}`);
    await page.getByRole('button', { name: 'cycle' }).click();
    await page.getByText('No worker is registered').waitFor({ timeout: 25_000 });
  });
});
