// Removes what nobody can ask for any more: sealed objects of runs that have ended, logs of runs that are gone.
import type { Context } from '../context.js';
import { endStates } from '../runs/transitions.js';
import type { LogStore } from './logs.js';
import type { ObjectStore } from './objects.js';

/** What is younger may belong to a run that is just being made, in milliseconds. */
const settled = 24 * 60 * 60 * 1000;
/** How often to look, in milliseconds. */
const interval = 60 * 60 * 1000;

export interface Stores {
  readonly logs: LogStore;
  readonly objects: ObjectStore;
}

/** One look over everything that is stored. Answers how many things were removed. */
export async function collectGarbage(
  context: Pick<Context, 'db' | 'clock'>,
  { logs, objects }: Stores,
): Promise<number> {
  const before = context.clock.now() - settled;
  // Listed first, asked then: what comes between the two is younger than a day.
  const stored = (await objects.list()).filter(({ modifiedAt }) => modifiedAt < before);
  const logged = (await logs.list()).filter(({ modifiedAt }) => modifiedAt < before);
  const used = await objectsInUse(context);
  const known = new Set((await context.db.selectFrom('runs').select('id').execute()).map(({ id }) => id));
  const unusedObjects = stored.filter(({ id }) => !used.has(id));
  const orphans = logged.filter(({ run }) => !known.has(run));
  for (const { id } of unusedObjects) {
    // The right to use an upload goes first: a run that names it later is told that it is not there.
    await context.db.deleteFrom('uploads').where('id', '=', id).execute();
    await objects.delete(id);
  }
  for (const { run } of orphans) await logs.delete(run);
  return unusedObjects.length + orphans.length + (await logs.tidy(before));
}

/** Those of runs that have not ended. */
async function objectsInUse(context: Pick<Context, 'db'>): Promise<Set<string>> {
  const rows = await context.db
    .selectFrom('runs')
    .select(['archive_object', 'workspace_object'])
    .where('state', 'not in', endStates)
    .execute();
  return new Set(
    rows.flatMap(({ archive_object, workspace_object }) => [archive_object, workspace_object]),
  ) as Set<string>;
}

/** Looks at once and then every hour. A look that fails is logged; the next one finds the same things. */
export function startGarbageCollector(context: Context, stores: Stores): { close(): Promise<void> } {
  let current = Promise.resolve();
  const look = () => {
    current = collectGarbage(context, stores).then(
      (removed) => {
        if (removed > 0)
          context.log.info({ removed }, 'removed objects and logs that nobody can ask for any more');
      },
      (error: unknown) => {
        context.log.error({ err: error }, 'removing what is not needed any more failed; it will be repeated');
      },
    );
  };
  look();
  const timer = setInterval(look, interval);
  return {
    async close() {
      clearInterval(timer);
      await current;
    },
  };
}
