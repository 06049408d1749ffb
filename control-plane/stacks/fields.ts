// What people give of a stack: its fields with their defaults, what is wrong with them, and how they are stored.
import { faultsError, type Fault } from '../../protocol/errors.js';
import type { Hooks } from '../../protocol/messages.js';
import type { Tool } from '../../protocol/runs.js';
import { assertUsable, getSpace } from '../access/spaces.js';
import type { Context } from '../context.js';
import { getPool } from '../pools/pools.js';
import type { StackRow } from '../store/schema.js';
import type { DriftDetection, StackCommands } from '../store/stack-tables.js';

export interface StackFields {
  readonly name: string;
  readonly description: string;
  readonly labels: readonly string[];
  readonly space: string;
  readonly poolId: string | null;
  readonly tool: Tool;
  readonly repository: string | null;
  readonly branch: string;
  readonly projectRoot: string | null;
  readonly runnerImage: string | null;
  readonly autodeploy: boolean;
  readonly administrative: boolean;
  readonly hooks: Hooks;
  readonly commands: StackCommands;
  /** Null: it is not looked for. */
  readonly driftDetection: DriftDetection | null;
}

const noHooks: Hooks = {
  beforeInit: [],
  afterInit: [],
  beforePlan: [],
  afterPlan: [],
  beforeApply: [],
  afterApply: [],
  beforePerform: [],
  afterPerform: [],
};

export const defaultFields: Omit<StackFields, 'name'> = {
  description: '',
  labels: [],
  space: 'root',
  poolId: null,
  tool: 'opentofu',
  repository: null,
  branch: 'main',
  projectRoot: null,
  runnerImage: null,
  autodeploy: false,
  administrative: false,
  hooks: noHooks,
  commands: { plan: [], apply: [], destroy: [] },
  driftDetection: null,
};

/** Throws INVALID_ARGUMENT with all faults, NOT_FOUND for pool or space. `before`: undefined for a new one. */
export async function checkFields(
  context: Pick<Context, 'db'>,
  id: string,
  fields: StackFields,
  before: StackRow | undefined,
): Promise<void> {
  const faults: Fault[] = [];
  const name = fields.name.trim();
  if (name === '' || name.length > 255) faults.push({ path: 'name', reason: 'expected 1 to 255 characters' });
  if (!/^[a-z0-9][a-z0-9-]{0,99}$/.test(id)) {
    faults.push({
      path: 'id',
      reason: `expected lower-case letters, digits and hyphens, got ${JSON.stringify(id)}`,
    });
  }
  if (
    fields.projectRoot?.split('/').includes('..') === true ||
    fields.projectRoot?.startsWith('/') === true
  ) {
    faults.push({ path: 'projectRoot', reason: 'expected a path inside the repository' });
  }
  if (fields.tool === 'commands' && fields.commands.plan.length === 0) {
    faults.push({ path: 'commands.plan', reason: 'expected at least one command for the tool "commands"' });
  }
  const every = fields.driftDetection?.every ?? driftMinutes.least;
  if (every < driftMinutes.least || every > driftMinutes.most) {
    const { least, most } = driftMinutes;
    faults.push({
      path: 'driftDetection.everyMinutes',
      reason: `expected ${String(least)} to ${String(most)}`,
    });
  }
  if (faults.length > 0) throw faultsError('INVALID_ARGUMENT', `The stack ${id}`, faults);
  // Where nothing moves, nothing is asked: stacks of earlier versions may be where they could not go now.
  if (before !== undefined && fields.poolId === before.pool_id && fields.space === before.space) return;
  if (fields.poolId === null) {
    await getSpace(context, fields.space);
    return;
  }
  const pool = await getPool(context, fields.poolId);
  if (!pool.public) await assertUsable(context, { stack: fields.space, pool: pool.space });
}

/** Between two looks for drift. */
const driftMinutes = { least: 5, most: 60 * 24 * 30 } as const;

/** When to look for drift for the first time. */
export function nextLook(drift: DriftDetection | null, now: number): number | null {
  return drift === null ? null : now + drift.every * 60_000;
}

/** As they are stored. */
export function columnsOf(fields: StackFields) {
  return {
    name: fields.name.trim(),
    description: fields.description,
    labels: JSON.stringify(fields.labels),
    space: fields.space,
    pool_id: fields.poolId,
    tool: fields.tool,
    repository: fields.repository,
    branch: fields.branch,
    project_root: fields.projectRoot,
    runner_image: fields.runnerImage,
    autodeploy: fields.autodeploy,
    administrative: fields.administrative,
    hooks: JSON.stringify(fields.hooks),
    commands: JSON.stringify(fields.commands),
    drift_detection: fields.driftDetection === null ? null : JSON.stringify(fields.driftDetection),
  };
}

/** What people give of a stack, read again. */
export function fieldsOf(row: StackRow): StackFields {
  const { name, description, labels, space, tool, repository, branch, autodeploy, administrative } = row;
  const { hooks, commands } = row;
  return {
    ...{
      name,
      description,
      labels,
      space,
      tool,
      repository,
      branch,
      autodeploy,
      administrative,
      hooks,
      commands,
    },
    poolId: row.pool_id,
    projectRoot: row.project_root,
    runnerImage: row.runner_image,
    driftDetection: row.drift_detection,
  };
}

/** What is not given does not take the place of what is there. */
export function withoutUndefined<T extends object>(value: T): T {
  return Object.fromEntries(Object.entries(value).filter(([, field]) => field !== undefined)) as T;
}
