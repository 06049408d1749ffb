// Lists as somebody of one space sees them: nothing in them is of another space, where an administrator sees that it is
// there.
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createApiKey, type Role } from '../../../control-plane/access/api-keys.js';
import { createSpace } from '../../../control-plane/access/spaces.js';
import { raiseAlarm } from '../../../control-plane/pools/alarms.js';
import { createPool } from '../../../control-plane/pools/pools.js';
import { triggerRun } from '../../../control-plane/runs/runs.js';
import { addDependency } from '../../../control-plane/stacks/dependencies.js';
import { createStack } from '../../../control-plane/stacks/stacks.js';
import { openViews, type Views } from '../../web/support/filled.js';
import { askerFor, type Asker } from '../api/support/ask.js';

interface Things {
  readonly space: string;
  readonly pool: string;
  /** One that others depend on, and one in the public pool. */
  readonly stack: string;
  readonly shared: string;
  readonly run: string;
  readonly sharedRun: string;
}

let views: Views;
let admin: Asker;
let reader: Asker;
const things: Record<'a' | 'b', Things> = {} as never;

/** A pool with an alarm, a stack with a run that waits there, and one with a run that waits in the public pool. */
async function furnish(space: string): Promise<Things> {
  const { context } = views;
  await createSpace(context, { id: space, name: `space ${space}`, description: '', parent: 'root' });
  const fields = { name: `pool ${space}`, certificateSigningRequest: 'request', space };
  const { pool } = await createPool(context, fields);
  const commands = { plan: ['true'], apply: [], destroy: [] };
  const stackOf = async (name: string, poolId: string | null) =>
    (await createStack(context, { name, space, poolId, tool: 'commands', commands })).id;
  const runOf = async (stack: string) =>
    (await triggerRun(context, { stack, type: 'TRACKED', requestedBy: 'ada' })).id;
  const stack = await stackOf(`stack ${space}`, pool.id);
  const shared = await stackOf(`shared ${space}`, null);
  const alarm = { pool: pool.id, kind: 'MASS_LOSS', message: `alarm ${space}` } as const;
  await context.db.transaction().execute((tx) => raiseAlarm(tx, context, alarm));
  return { space, pool: pool.id, stack, shared, run: await runOf(stack), sharedRun: await runOf(shared) };
}

beforeAll(async () => {
  views = await openViews({ full: false });
  // The runs of the other space are older, so that those of this one wait for them.
  things.b = await furnish('b');
  things.a = await furnish('a');
  const { a, b } = things;
  await addDependency(views.context, { stack: a.stack, dependsOn: b.stack });
  await addDependency(views.context, { stack: b.shared, dependsOn: a.stack });
  const keyOf = async (role: Role, space: string) => {
    const asked = { name: role, role, spaces: [space], expiresAt: null };
    const { row, secret } = await createApiKey(views.context, asked);
    return askerFor(views, { id: row.id, secret });
  };
  admin = await keyOf('administrator', 'root');
  reader = await keyOf('reader', 'a');
}, 180_000);
afterAll(() => views.close());

const queued = 'searchSchedulableRuns(input: {}) { edges { node { stackId run { id } } } }';
const stacks = (what: string) => `{ searchStacks(input: {}) { edges { node { ${what} } } } }`;

describe('lists show nothing of another space', () => {
  it.each([
    ['spaces', '{ spaces { id } }'],
    ['worker pools', '{ workerPools { id name spaceDetails { id name } } }'],
    ['their queues', `{ workerPools { ${queued} } }`],
    ['whose stacks use them', '{ workerPools { usedBy { id name } } }'],
    ['worker pools that are searched', '{ searchWorkerPools(input: {}) { edges { node { id name } } } }'],
    ['stacks', stacks('id name config { id }')],
    ['their runs', stacks('runs { id }')],
    ['why those wait', stacks('runs { waitReason }')],
    ['what they depend on', stacks('dependsOn { stack { id } dependsOnStack { id name } }')],
    ['what depends on them', stacks('isDependedOnBy { stack { id name } dependsOnStack { id } }')],
    [
      'changes',
      '{ searchAuditEntries(input: { first: 500 }) { edges { node { resourceId space after } } } }',
    ],
    ['whose stacks use the public pool', '{ publicWorkerPool { usedBy { id } } }'],
    ['its queue', `{ publicWorkerPool { ${queued} } }`],
    ['alarms', '{ alarms { message workerPool { id } } }'],
  ])('%s', async (_what, query) => {
    const foreign = [
      ...(Object.values(things.b) as string[]),
      ...['space b', 'pool b', 'stack b', 'shared b', 'alarm b'],
    ];
    const seen = (text: string) =>
      foreign.filter((word) => text.includes(`"${word}"`) || text.includes(` ${word}`));
    expect(seen(JSON.stringify(await admin.data(query)))).not.toEqual([]);
    expect(seen(JSON.stringify(await reader.data(query)))).toEqual([]);
  });

  it('nor the token of a pool to anybody but administrators', async () => {
    const query = '{ workerPools { config } }';
    expect(await reader.data(query)).toEqual({ workerPools: [{ config: null }] });
    const { workerPools } = await admin.data<{ workerPools: { config: string | null }[] }>(query);
    expect(workerPools.every(({ config }) => config !== null)).toBe(true);
  });
});
