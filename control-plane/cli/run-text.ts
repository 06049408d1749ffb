// Runs as text for people.
import { PoolwrightError } from '../../protocol/errors.js';
import { placeText } from '../queue/place-text.js';
import type { ApiClient } from './api/client.js';
import { newestRun, type Run, type RunWithHistory } from './api/runs.js';
import type { Output } from './output.js';
import { ago, localTime } from './times.js';

/** The given run's id, otherwise that of the stack's newest run. NOT_FOUND when it had none. */
export async function runOrNewest(
  client: ApiClient,
  stack: string,
  run: string | undefined,
): Promise<string> {
  if (run !== undefined) return run;
  const newest = await newestRun(client, stack);
  if (newest !== undefined) return newest.id;
  throw new PoolwrightError(
    'NOT_FOUND',
    `The stack "${stack}" has no run yet. Start one: poolwright run trigger ${stack}`,
  );
}

export function runTable(output: Output, runs: readonly Run[]): string[] {
  const now = Date.now();
  return output.table(
    ['ID', 'TYPE', 'STATE', 'AGE', 'TITLE'],
    runs.map(({ id, type, state, createdAt, title }) => [id, type, state, ago(createdAt, now), title ?? '']),
  );
}

function changesText({ add, change, destroy, any }: NonNullable<Run['changes']>): string {
  if (!any) return 'none';
  const parts = [
    ['add', add],
    ['change', change],
    ['destroy', destroy],
  ] as const;
  const known = parts.flatMap(([name, count]) => (count === null ? [] : [`${String(count)} to ${name}`]));
  return known.length === 0 ? 'some' : known.join(', ');
}

/** One run as fields; with its history, oldest first, where the run brings it. */
export function runLines(output: Output, run: Run | RunWithHistory): string[] {
  const optional: [string, string | null][] = [
    ['title', run.title],
    ['place in queue', run.position === null ? null : placeText(run.position)],
    ['waits because', run.waitReason],
    ['worker', run.worker],
    ['branch', run.branch],
    ['commit', run.commitSha],
    ['changes', run.changes === null ? null : changesText(run.changes)],
    ['failure', run.failure === null ? null : `${run.failure.code}: ${run.failure.message}`],
    ['note', run.note],
  ];
  const history = 'history' in run ? run.history.toReversed() : [];
  return output.fields([
    ['run', run.id],
    ['type', run.type],
    ['state', run.state],
    ['created', localTime(run.createdAt)],
    ...optional.flatMap(([name, value]): [string, string][] => (value === null ? [] : [[name, value]])),
    ...history.map(({ timestamp, state, note, username }, index): [string, string] => [
      index === 0 ? 'history' : '',
      [localTime(timestamp), state, username, note].filter((part) => part !== null).join('  '),
    ]),
  ]);
}
