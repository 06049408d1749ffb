// Deliveries of each kind of Git server, genuine and not, once and again: what they start and what they do not.
import { randomUUID } from 'node:crypto';
import { Readable } from 'node:stream';
import { pino } from 'pino';
import { beforeEach, describe, expect, it } from 'vitest';
import { createRateLimits } from '../../../control-plane/access/rate-limits.js';
import { createVault } from '../../../control-plane/access/vault.js';
import { Hono } from 'hono';
import type { ServerEnvironment } from '../../../control-plane/http/body.js';
import { answerError } from '../../../control-plane/http/errors.js';
import { webhookRoutes } from '../../../control-plane/http/webhooks.js';
import { listRuns } from '../../../control-plane/runs/runs.js';
import { setDisabled, setLock } from '../../../control-plane/stacks/locks.js';
import { collectGarbage } from '../../../control-plane/store/garbage.js';
import type { StackFields } from '../../../control-plane/stacks/fields.js';
import type { DeliveryResult } from '../../../control-plane/store/webhook-tables.js';
import { digestOf } from '../../../control-plane/webhooks/payload.js';
import type { GitProvider } from '../../../control-plane/webhooks/told.js';
import {
  createWebhook,
  deleteWebhook,
  listWebhooks,
  speakers,
} from '../../../control-plane/webhooks/webhooks.js';
import { keptTraces } from '../support/kept-traces.js';
import { eachWithRules, makePool, makeRun, makeStack, type Rules } from '../support/rules.js';
import { delivery, payload, type Sent } from './support/deliveries.js';

const mostAtOnce = 12;
const vault = createVault('a'.repeat(43));
let rules: Rules;
let app: Hono<ServerEnvironment>;
eachWithRules((given) => {
  rules = given.rules;
});
beforeEach(() => {
  const limits = createRateLimits(rules.context.clock, {
    key: { perSecond: 1, burst: 1 },
    webhook: { perSecond: 1, burst: mostAtOnce },
    address: { perSecond: 1, burst: 30 },
  });
  app = new Hono<ServerEnvironment>();
  app.onError((error, c) => answerError(c, error, pino({ level: 'silent' })));
  app.route('/', webhookRoutes({ context: rules.context, vault, limits, addressOf: () => '192.0.2.1' }));
});

interface Hook {
  readonly stack: string;
  readonly id: string;
  readonly secret: string;
}

async function hook(provider: GitProvider, fields: Partial<StackFields> = {}): Promise<Hook> {
  const repository = 'https://git.example/acme/network.git';
  const stack = await makeStack(rules, await makePool(rules), { repository, ...fields });
  const { row, secret } = await createWebhook(rules.context, vault, { stack, provider });
  return { stack, id: row.id, secret };
}

async function post(
  id: string,
  { headers, body }: Sent,
): Promise<{ status: number; code?: string } & DeliveryResult> {
  const response = await app.request(
    `/webhooks/${id}`,
    { method: 'POST', headers },
    { incoming: Readable.from([Buffer.from(body)]) },
  );
  return { status: response.status, ...((await response.json()) as DeliveryResult & { code?: string }) };
}

const runsOf = async ({ stack }: Hook) =>
  (await listRuns(rules.context, { stack })).map(({ type, branch, commit_sha, title, requested_by }) => ({
    ...{ type, branch, commit: commit_sha, title, by: requested_by },
  }));

const gateway = { commit: 'f'.repeat(40), branch: 'gateway' };

describe('a delivery', () => {
  it('is told in the trace of its request: by whom, for which stack, and the runs that it started', async () => {
    const kept = keptTraces();
    const made = await hook('github');
    rules.traces = kept;
    const sent = delivery('github', made.secret, { event: 'push', body: payload('github-push') });
    const deliver = () => kept.span({ name: 'request' }, () => post(made.id, sent));
    const { runs } = await deliver();
    await deliver();
    const common = { 'poolwright.webhook.provider': 'github', 'poolwright.stack.id': made.stack };
    expect(kept.spans.map(({ attributes, runs: linked }) => ({ attributes, linked }))).toEqual([
      {
        attributes: { ...common, 'poolwright.webhook.repeated': false, 'poolwright.webhook.runs': 1 },
        linked: runs.map(({ id }) => id),
      },
      {
        attributes: { ...common, 'poolwright.webhook.repeated': true, 'poolwright.webhook.runs': 0 },
        linked: [],
      },
    ]);
  });
});

describe('a push to the branch of the stack', () => {
  it.each([
    ['github', 'push', 'github-push', '59b20b8d5c6ff8d09518454d4dd8b7b30f095ab5', 'GitHub'],
    ['gitlab', 'Push Hook', 'gitlab-push', 'da1560886d4f094c3e6c9ef40349f7d38b5d27d7', 'GitLab'],
    ['bitbucket', 'repo:push', 'bitbucket-push', '709d658dc5b6d6afcd46049c2f332ee3f515a67d', 'Bitbucket'],
  ] as const)('at %s starts a tracked run of its commit', async (provider, event, name, commit, who) => {
    const made = await hook(provider);
    const answer = await post(made.id, delivery(provider, made.secret, { event, body: payload(name) }));
    expect(answer).toMatchObject({ status: 200, repeated: false, runs: [{ type: 'TRACKED' }] });
    expect(await runsOf(made)).toEqual([
      {
        type: 'TRACKED',
        branch: 'main',
        commit,
        title: 'Widen the subnets of the lab',
        by: `${who} webhook`,
      },
    ]);
  });

  it('that anything else tells of does, too', async () => {
    const made = await hook('generic');
    const body = JSON.stringify({ branch: 'main', commit: 'a'.repeat(64), title: 'By a hook\nof Git' });
    expect(await post(made.id, delivery('generic', made.secret, { body }))).toMatchObject({ status: 200 });
    expect(await runsOf(made)).toMatchObject([
      { type: 'TRACKED', commit: 'a'.repeat(64), title: 'By a hook', by: 'Git webhook' },
    ]);
  });

  it('as a form, as GitHub sends it unless it is told otherwise, counts as well', async () => {
    const made = await hook('github');
    const body = new URLSearchParams({ payload: payload('github-push') }).toString();
    const sent = delivery('github', made.secret, { event: 'push', body });
    const headers = { ...sent.headers, 'content-type': 'application/x-www-form-urlencoded' };
    expect(await post(made.id, { ...sent, headers })).toMatchObject({
      status: 200,
      runs: [{ type: 'TRACKED' }],
    });
  });

  it('starts nothing where it changes nothing below the project root, as far as it tells', async () => {
    const made = await hook('github', { projectRoot: 'production' });
    const told = { event: 'push', body: payload('github-push') };
    expect(await post(made.id, delivery('github', made.secret, told))).toMatchObject({
      runs: [],
      ignored: ['nothing below production has changed on main'],
    });
    const forced = { event: 'push', body: payload('github-push', { forced: true }) };
    expect(await post(made.id, delivery('github', made.secret, forced))).toMatchObject({
      runs: [{ type: 'TRACKED' }],
    });
    const lab = await hook('gitlab', { projectRoot: './lab/' });
    const push = { event: 'Push Hook', body: payload('gitlab-push') };
    expect(await post(lab.id, delivery('gitlab', lab.secret, push))).toMatchObject({
      runs: [{ type: 'TRACKED' }],
    });
  });
});

describe('another branch', () => {
  it.each([
    ['github', 'push', payload('github-push', { ref: 'refs/heads/gateway' })],
    ['github', 'pull_request', payload('github-pull-request')],
    ['gitlab', 'Push Hook', payload('gitlab-push', { ref: 'refs/heads/gateway' })],
    ['gitlab', 'Merge Request Hook', payload('gitlab-merge-request')],
    ['bitbucket', 'repo:refs_changed', payload('bitbucket-server-push')],
    ['bitbucket', 'pr:opened', payload('bitbucket-server-pull-request')],
    ['generic', '', JSON.stringify(gateway)],
    ['generic', '', JSON.stringify({ ...gateway, pullRequest: true })],
  ] as const)('of %s (%s) gets a proposed run', async (provider, event, body) => {
    const made = await hook(provider);
    await post(made.id, delivery(provider, made.secret, { event, body }));
    expect(await runsOf(made)).toMatchObject([{ type: 'PROPOSED', branch: 'gateway' }]);
  });

  it('gets one run of a commit, whether its push or its pull request came first', async () => {
    const made = await hook('github');
    const pull = { event: 'pull_request', body: payload('github-pull-request') };
    await post(made.id, delivery('github', made.secret, pull));
    const body = payload('github-push', {
      ref: 'refs/heads/gateway',
      after: 'ec26c3e57ca3a959ca5aad62de7213c562f8c821',
    });
    const answer = await post(made.id, delivery('github', made.secret, { event: 'push', body }));
    expect(answer.ignored).toMatchObject([expect.stringContaining('of the same commit already')]);
    expect(await runsOf(made)).toHaveLength(1);
  });
});

describe('nothing is started by', () => {
  const fork = { full_name: 'mallory/network' };
  const head = { ref: 'gateway', sha: 'a'.repeat(40), repo: fork };
  const attributes = { action: 'open', source_branch: 'x', last_commit: { id: 'a'.repeat(40) } };
  it.each([
    [
      'a pull request of a fork',
      'github',
      'pull_request',
      payload('github-pull-request', { pull_request: { head } }),
      'mallory/network',
    ],
    [
      'a merge request of a fork',
      'gitlab',
      'Merge Request Hook',
      payload('gitlab-merge-request', {
        object_attributes: { ...attributes, source: { path_with_namespace: 'mallory/network' } },
      }),
      'mallory/network',
    ],
    [
      'a merge request with another title',
      'gitlab',
      'Merge Request Hook',
      payload('gitlab-merge-request', {
        object_attributes: {
          ...attributes,
          action: 'update',
          source: { path_with_namespace: 'acme/network' },
        },
      }),
      'same tip',
    ],
    [
      'a pull request that is closed',
      'github',
      'pull_request',
      payload('github-pull-request', { action: 'closed' }),
      'closed',
    ],
    [
      'a pull request that names half a commit',
      'bitbucket',
      'pullrequest:created',
      payload('bitbucket-pull-request'),
      'whole commit',
    ],
    ['a tag', 'github', 'push', payload('github-push', { ref: 'refs/tags/v1' }), 'refs/tags/v1'],
    [
      'a deleted branch',
      'github',
      'push',
      payload('github-push', { deleted: true, after: '0'.repeat(40) }),
      'deleted',
    ],
    [
      'another repository',
      'github',
      'push',
      payload('github-push', { repository: { full_name: 'acme/work' } }),
      'another one',
    ],
    ['a ping', 'github', 'ping', '{"zen":"Design for failure."}', 'ping'],
    ['an event that servers will have one day', 'bitbucket', 'toString', '{}', 'toString'],
  ] as const)('%s', async (_what, provider, event, body, why) => {
    const made = await hook(provider);
    const answer = await post(made.id, delivery(provider, made.secret, { event, body }));
    expect(answer).toMatchObject({ status: 200, runs: [], ignored: [expect.stringContaining(why)] });
    expect(await runsOf(made)).toEqual([]);
  });
});

/** Pushes of a commit at servers whose deliveries are signed: provider, event, body. */
const replayed: readonly (readonly [GitProvider, string, (commit: string) => string])[] = [
  ['github', 'push', (after) => payload('github-push', { after })],
  [
    'bitbucket',
    'repo:push',
    (hash) =>
      payload('bitbucket-push', {
        push: { changes: [{ new: { type: 'branch', name: 'main', target: { hash } } }] },
      }),
  ],
  [
    'bitbucket',
    'repo:refs_changed',
    (toHash) =>
      payload('bitbucket-server-push', {
        changes: [{ ref: { displayId: 'main', type: 'BRANCH' }, toHash, type: 'UPDATE' }],
      }),
  ],
  ['generic', '', (commit) => JSON.stringify({ branch: 'main', commit })],
];

describe('a delivery that comes again', () => {
  it('starts nothing and gets the same answer, also when all come at once', async () => {
    const made = await hook('github');
    const sent = delivery('github', made.secret, { event: 'push', body: payload('github-push') });
    const answers = await Promise.all(Array.from({ length: 8 }, () => post(made.id, sent)));
    expect(answers.filter(({ repeated }) => !repeated)).toHaveLength(1);
    expect(new Set(answers.map(({ runs }) => runs[0]?.id)).size).toBe(1);
    expect(await runsOf(made)).toHaveLength(1);
  });

  it('has an example of every server that signs', () => {
    const signing = Object.entries(speakers).filter(([, { proof }]) => proof.kind === 'signature');
    expect([...new Set(replayed.map(([provider]) => provider))].sort()).toEqual(
      signing.map(([provider]) => provider).sort(),
    );
  });

  it.each(replayed)(
    'is known by what %s has signed, whatever the headers say: %s',
    async (provider, event, of) => {
      const made = await hook(provider);
      const push = (commit: string, id: string) => {
        const sent = delivery(provider, made.secret, { event, body: of(commit.repeat(40)), id });
        const more = {
          'x-github-delivery': id,
          'x-request-uuid': id,
          'x-request-id': id,
          'idempotency-key': id,
        };
        return post(made.id, { ...sent, headers: { ...sent.headers, ...more } });
      };
      expect(await push('a', 'one')).toMatchObject({ repeated: false });
      await push('b', 'two');
      expect(await push('a', 'three')).toMatchObject({ status: 200, repeated: true });
      const { body } = delivery(provider, made.secret, { event, body: of('c'.repeat(40)) });
      expect(await push('c', digestOf({ body: Buffer.from(body), header: () => undefined }))).toMatchObject({
        repeated: false,
      });
      expect(await runsOf(made)).toHaveLength(3);
    },
  );

  it('counts where the branch has come back to an earlier commit meanwhile', async () => {
    const made = await hook('gitlab');
    for (const after of ['a', 'b', 'a']) {
      const body = payload('gitlab-push', { after: after.repeat(40) });
      await post(made.id, delivery('gitlab', made.secret, { event: 'Push Hook', body }));
    }
    expect(await runsOf(made)).toHaveLength(3);
  });

  it('of a commit that has a run starts another one only where it has an id of its own, once', async () => {
    const made = await hook('generic');
    const send = (more: object) =>
      post(made.id, delivery('generic', made.secret, { body: JSON.stringify({ ...gateway, ...more }) }));
    await send({});
    expect(await send({ title: 'Once more' })).toMatchObject({
      runs: [],
      ignored: [expect.stringContaining('of the same commit already')],
    });
    for (const id of ['monday', 'tuesday'])
      expect(await send({ id })).toMatchObject({ repeated: false, runs: [{ type: 'PROPOSED' }] });
    expect(await send({ id: 'monday' })).toMatchObject({ repeated: true });
    expect(await runsOf(made)).toHaveLength(3);
  });

  it('is remembered for 90 days', async () => {
    const made = await hook('generic');
    const sent = delivery('generic', made.secret, { body: JSON.stringify(gateway) });
    await post(made.id, sent);
    const stores = {
      objects: { list: () => Promise.resolve([]) },
      logs: { list: () => Promise.resolve([]), tidy: () => Promise.resolve(0) },
    };
    const left = async (days: number) => {
      rules.now += days * 24 * 60 * 60 * 1000;
      await collectGarbage(rules.context, stores as never);
      return (await rules.context.db.selectFrom('webhook_deliveries').selectAll().execute()).length;
    };
    expect(await left(89)).toBe(1);
    expect(await left(2)).toBe(0);
  });
});

describe('a stack that takes no run now', () => {
  it.each([
    [
      'is disabled',
      (stack: string) => setDisabled(rules.context, stack, true),
      (stack: string) => setDisabled(rules.context, stack, false),
    ],
    ['is locked', (stack: string) => setLock(rules.context, stack, { by: 'someone', note: null }), undefined],
  ])('because it %s says so, and takes the same delivery later', async (_what, stop, start) => {
    const made = await hook('github');
    await stop(made.stack);
    const sent = delivery('github', made.secret, { event: 'push', body: payload('github-push') });
    expect(await post(made.id, sent)).toMatchObject({ status: 409, code: 'CONFLICT' });
    expect((await listWebhooks(rules.context, made.stack))[0]?.last_outcome).toMatch(/^CONFLICT: /);
    if (start === undefined) return;
    await start(made.stack);
    expect(await post(made.id, sent)).toMatchObject({ status: 200, runs: [{ type: 'TRACKED' }] });
  });

  it('because it has no repository says so', async () => {
    const made = await hook('generic', { repository: null });
    const sent = delivery('generic', made.secret, { body: JSON.stringify(gateway) });
    expect(await post(made.id, sent)).toMatchObject({ status: 409, code: 'CONFLICT' });
  });
});

describe('refused with a code is', () => {
  it.each(['github', 'gitlab', 'bitbucket', 'generic'] as const)(
    'another secret, of %s',
    async (provider) => {
      const made = await hook(provider);
      for (const secret of ['wrong', '', `${made.secret}x`]) {
        const sent = delivery(provider, secret, { event: 'push', body: payload('github-push') });
        expect(await post(made.id, sent)).toMatchObject({ status: 401, code: 'UNAUTHORIZED' });
      }
      expect(await post(made.id, { headers: {}, body: '' })).toMatchObject({ status: 401 });
      expect(await runsOf(made)).toEqual([]);
    },
  );

  it('a body that is not the one that was signed', async () => {
    const made = await hook('github');
    const sent = delivery('github', made.secret, { event: 'push', body: payload('github-push') });
    const body = sent.body.replace('59b20b8d', '59b20b8e');
    expect(await post(made.id, { ...sent, body })).toMatchObject({ status: 401 });
  });

  it('a webhook that is not there, or no longer, like a wrong secret; and too many of them', async () => {
    const made = await hook('github');
    const sent = delivery('github', made.secret, { event: 'push', body: payload('github-push') });
    await deleteWebhook(rules.context, made.stack, made.id);
    expect(await post(made.id, sent)).toMatchObject({ status: 401, code: 'UNAUTHORIZED' });
    for (let count = 0; count < 29; count += 1) await post('nothing', sent);
    expect(await post('nothing', sent)).toMatchObject({ status: 429, code: 'RATE_LIMITED' });
  });

  it('what comes to one webhook too often, and not what comes to another', async () => {
    const made = await hook('github');
    const push = { event: 'push', body: payload('github-push') };
    const sent = delivery('github', made.secret, push);
    for (let count = 0; count < mostAtOnce; count += 1)
      expect(await post(made.id, sent)).toMatchObject({ status: 200, repeated: count > 0 });
    expect(await post(made.id, sent)).toMatchObject({ status: 429, code: 'RATE_LIMITED' });
    const other = await hook('github');
    expect(await post(other.id, delivery('github', other.secret, push))).toMatchObject({ status: 200 });
    rules.now += 1000;
    expect(await post(made.id, sent)).toMatchObject({ status: 200 });
  });

  it.each([
    ['no JSON', 'push', '{'],
    ['no object', 'push', '[]'],
    ['null', 'push', 'null'],
    ['a push without a commit', 'push', payload('github-push', { after: 1 })],
    ['a push of no repository', 'push', payload('github-push', { repository: null })],
    ['a commit that is none', 'push', payload('github-push', { after: '--upload-pack=x' })],
    [
      'a branch name beyond all measure',
      'pull_request',
      payload('github-pull-request', {
        pull_request: {
          head: { ref: 'x'.repeat(513), sha: 'a'.repeat(40), repo: { full_name: 'acme/network' } },
        },
      }),
    ],
  ])('%s', async (_what, event, body) => {
    const made = await hook('github');
    const answer = await post(made.id, delivery('github', made.secret, { event, body }));
    expect(answer).toMatchObject({ status: 400, code: 'INVALID_ARGUMENT' });
    expect(await runsOf(made)).toEqual([]);
  });

  it('a body that is too long, before it is read', async () => {
    const made = await hook('github');
    const sent = delivery('github', made.secret, { event: 'push', body: '{}' });
    const headers = { ...sent.headers, 'content-length': String(25 * 1024 * 1024 + 1) };
    expect(await post(made.id, { ...sent, headers })).toMatchObject({ status: 413, code: 'TOO_LARGE' });
  });
});

describe('the secret', () => {
  it('is nowhere in the database, and opens for its own webhook only', async () => {
    for (const provider of ['github', 'gitlab'] as const) {
      const made = await hook(provider);
      const [row] = await listWebhooks(rules.context, made.stack);
      expect(JSON.stringify(row)).not.toContain(made.secret);
      if (row?.secret_sealed == null) continue;
      expect(vault.open(`webhook ${made.id}`, row.secret_sealed)).toBe(made.secret);
      expect(() => vault.open(`webhook ${randomUUID()}`, row.secret_sealed ?? '')).toThrow(
        'cannot be opened',
      );
      expect(() => createVault('b'.repeat(43)).open(`webhook ${made.id}`, row.secret_sealed ?? '')).toThrow(
        'cannot be opened',
      );
    }
  });

  it('of one stack starts nothing of another', async () => {
    const [one, two] = [await hook('github'), await hook('github')];
    const sent = delivery('github', one.secret, { event: 'push', body: payload('github-push') });
    expect(await post(two.id, sent)).toMatchObject({ status: 401 });
  });
});

it('runs that are repeated keep their branch', async () => {
  const { retryRun } = await import('../../../control-plane/runs/repeat.js');
  const { cancelRun } = await import('../../../control-plane/runs/decisions.js');
  const { stack } = await hook('github');
  const { id: run } = await makeRun(rules, stack, { type: 'PROPOSED', branch: 'gateway' });
  await cancelRun(rules.context, { stack, run, username: 'test' });
  expect(await retryRun(rules.context, { stack, run, username: 'test' })).toMatchObject({
    branch: 'gateway',
  });
});
