// What a delivery starts: a tracked run for the stack's own branch, a proposed one for every other. Each delivery counts
// once, however often it is sent.
import { sql } from 'kysely';
import { PoolwrightError } from '../../protocol/errors.js';
import type { RunType } from '../../protocol/runs.js';
import { acting } from '../access/audit.js';
import type { Context, Tx } from '../context.js';
import { tell } from '../runs/change.js';
import { createRun } from '../runs/create.js';
import { lockStack } from '../runs/holds.js';
import { stackNotFound } from '../stacks/stacks.js';
import type { RunRow, StackRow } from '../store/schema.js';
import type { DeliveryResult, WebhookRow } from '../store/webhook-tables.js';
import type { Delivery, Moved, Told } from './told.js';
import { speakers } from './webhooks.js';

/** Of a stack's runs, so many of the newest are looked at for one of the same commit. */
const newest = 500;

/**
 * For a delivery that was found genuine. Throws INVALID_ARGUMENT for a payload that cannot be read, and CONFLICT when the
 * stack takes no run now (disabled, locked, without a repository): then nothing of it counts, and it may be sent again.
 */
export async function deliver(
  context: Context,
  webhook: WebhookRow,
  delivery: Delivery,
  address: string | null,
): Promise<DeliveryResult> {
  const speaker = speakers[webhook.provider];
  const name = `${speaker.name} webhook`;
  const own = acting(context, { key: webhook.id, name, address });
  context.traces.current().set({
    'poolwright.webhook.provider': webhook.provider,
    'poolwright.stack.id': webhook.stack_id,
  });
  try {
    const told = speaker.read(delivery);
    const ids = speaker.ids(delivery);
    const { result, runs } = await context.db
      .transaction()
      .execute((tx) => take(tx, own, { webhook, told, ids, requestedBy: name }));
    for (const run of runs) tell(context, run);
    context.traces.current().set({
      'poolwright.webhook.repeated': result.repeated,
      'poolwright.webhook.runs': runs.length,
    });
    await note(context, webhook, wordsOf(result));
    return result;
  } catch (error) {
    if (error instanceof PoolwrightError) await note(context, webhook, `${error.code}: ${error.message}`);
    throw error;
  }
}

interface Taken {
  readonly webhook: WebhookRow;
  readonly told: Told;
  readonly ids: readonly string[];
  readonly requestedBy: string;
}

async function take(
  tx: Tx,
  context: Context,
  { webhook, told, ids, requestedBy }: Taken,
): Promise<{ readonly result: DeliveryResult; readonly runs: readonly RunRow[] }> {
  // With the stack's row locked, two of the same delivery come one after the other.
  const stack = await lockStack(tx, webhook.stack_id);
  if (stack === undefined) throw stackNotFound(webhook.stack_id);
  const before = await tx
    .selectFrom('webhook_deliveries')
    .select('result')
    .where('webhook_id', '=', webhook.id)
    .where('delivery', 'in', ids)
    .executeTakeFirst();
  if (before !== undefined) return { result: { ...before.result, repeated: true }, runs: [] };
  const runs: RunRow[] = [];
  const ignored = [...told.ignored];
  for (const moved of told.moved) {
    const type: RunType = moved.kind === 'push' && moved.branch === stack.branch ? 'TRACKED' : 'PROPOSED';
    const why = await whyNot(tx, stack, told.repository, moved, type);
    if (why !== undefined) ignored.push(why);
    else {
      const { branch, commit: commitSha, title } = moved;
      runs.push(
        await createRun(tx, context, stack, {
          ...{ type, branch, commitSha, requestedBy },
          ...(title === null ? {} : { title }),
        }),
      );
    }
  }
  const result = { repeated: false, runs: runs.map(({ id, type }) => ({ id, type })), ignored };
  await tx
    .insertInto('webhook_deliveries')
    .values(
      ids.map((delivery) => ({
        webhook_id: webhook.id,
        delivery,
        at: context.clock.now(),
        result: JSON.stringify(result),
      })),
    )
    .execute();
  return { result, runs };
}

/** Why a branch that has moved starts nothing; undefined when it does. Throws CONFLICT. */
async function whyNot(
  tx: Tx,
  stack: StackRow,
  repository: string | null,
  { branch, commit, paths, again }: Moved,
  type: RunType,
): Promise<string | undefined> {
  if (stack.repository === null)
    throw new PoolwrightError('CONFLICT', `The stack ${stack.id} has no repository that a push could be of.`);
  if (repository !== null && !isOf(stack.repository, repository))
    return `the push is to ${repository}, and the stack's repository is another one`;
  if (paths !== null && stack.project_root !== null && !touches(paths, stack.project_root))
    return `nothing below ${stack.project_root} has changed on ${branch}`;
  if (again === true) return undefined;
  const { rows } = await sql<{ id: string }>`
    select id from (
      select id, type, commit_sha from runs where stack_id = ${stack.id} and archive_object is null
        and (type = ${type}) order by id desc limit ${type === 'TRACKED' ? 1 : newest}
    ) as own where commit_sha = ${commit} limit 1`.execute(tx);
  return rows[0] === undefined ? undefined : `the run ${rows[0].id} is of the same commit already`;
}

/** Whether an address such as `https://host/owner/name.git` or `git@host:owner/name` is of the repository `owner/name`. */
function isOf(address: string, repository: string): boolean {
  const path = address
    .replace(/\/+$/, '')
    .replace(/\.git$/, '')
    .toLowerCase();
  const name = repository.toLowerCase();
  return path === name || path.endsWith(`/${name}`) || path.endsWith(`:${name}`);
}

function touches(paths: readonly string[], root: string): boolean {
  const folder = root.replace(/^(\.\/)+/, '').replace(/\/+$/, '');
  return folder === '' || folder === '.' || paths.some((path) => path.startsWith(`${folder}/`));
}

function wordsOf({ repeated, runs, ignored }: DeliveryResult): string {
  const words = [...runs.map(({ id, type }) => `started the ${type} run ${id}`), ...ignored].join('; ');
  return repeated ? `came again: ${words}` : words;
}

/** For whoever wonders what has become of a push. */
async function note(
  context: Pick<Context, 'db' | 'clock'>,
  { id }: WebhookRow,
  outcome: string,
): Promise<void> {
  await context.db
    .updateTable('webhooks')
    .set({ last_delivery_at: context.clock.now(), last_outcome: outcome.slice(0, 1000) })
    .where('id', '=', id)
    .execute();
}
