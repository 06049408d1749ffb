// The rules on a real database in memory, with a clock that the test moves and an outbox that is read.
import { pino } from 'pino';
import type { Addressee, Context, DownBody } from '../../../control-plane/context.js';
import { createEvents } from '../../../control-plane/events.js';
import { heartbeat, registerWorker, workerGone } from '../../../control-plane/pools/contact.js';
import { assignNext, type Match } from '../../../control-plane/queue/assign.js';
import { acceptRun, beginRun } from '../../../control-plane/runs/attempts.js';
import { applyRecords } from '../../../control-plane/runs/records.js';
import { triggerRun, type Trigger } from '../../../control-plane/runs/runs.js';
import { createStack } from '../../../control-plane/stacks/stacks.js';
import type { StackFields } from '../../../control-plane/stacks/fields.js';
import type { RunRow, WorkerRow } from '../../../control-plane/store/schema.js';
import { noTraces, type Traces } from '../../../control-plane/traces/traces.js';
import type { HeldRun } from '../../../protocol/messages.js';
import type { RunState } from '../../../protocol/runs.js';
import type { ResultRecord, SpoolRecord } from '../../../protocol/worker-api.js';
import { ulid } from 'ulid';
import { afterAll, beforeAll, beforeEach } from 'vitest';
import { openRulesDatabase } from './rules-database.js';

export interface Rules {
  readonly context: Context;
  readonly sent: { readonly to: Addressee; readonly body: DownBody }[];
  /** Unix milliseconds. */
  now: number;
  /** Who follows; default: nobody. */
  traces: Traces;
  /** Empties everything. */
  reset(): Promise<void>;
  close(): Promise<void>;
}

export async function openRules(connections?: number): Promise<Rules> {
  const database = await openRulesDatabase(connections);
  const { db } = database;
  const sent: Rules['sent'] = [];
  const rules = { now: Date.UTC(2026, 0, 1), sent, traces: noTraces } as unknown as Rules & {
    context: Context;
  };
  const context: Context = {
    db,
    clock: { now: () => rules.now },
    ids: { next: () => ulid() },
    events: createEvents((error) => {
      throw error;
    }),
    outbox: { send: (to, body) => sent.push({ to, body }) },
    authority: {
      issue: ({ pool }) =>
        Promise.resolve({ certificate: `certificate of ${pool}`, serial: '01', publicKey: 'key' }),
      token: (pool) => `token of ${pool}`,
    },
    connections: { cutPool: () => undefined },
    logs: {
      // Asks the database, as shared logs do: in a transaction it has to be the one of the caller.
      async lastLine(_run, within) {
        await (within ?? db).selectFrom('log_attempts').select('last_text').execute();
        return 'the last line';
      },
    },
    bulk: {
      grant: () => Promise.resolve({ endpoint: 'https://control.example', token: 'token' }),
      grantRelease: () => Promise.resolve({ endpoint: 'https://control.example', token: 'token' }),
    },
    seal: (_key, _context, text) => `sealed ${text}`,
    log: pino({ level: 'silent' }),
    get traces() {
      return rules.traces;
    },
  };
  return Object.assign(rules, {
    context,
    async reset() {
      sent.length = 0;
      rules.traces = noTraces;
      for (const table of ['alarms', 'runs', 'workers', 'worker_lines', 'lost_workers', 'stacks'] as const)
        await db.deleteFrom(table).execute();
      await db.deleteFrom('worker_pools').where('public', '=', false).execute();
    },
    close: () => database.close(),
  });
}

/** For a file of tests: one database, emptied before each test, with a pool of its own; `take` gets both. */
export function eachWithRules(take: (given: { readonly rules: Rules; readonly pool: string }) => void): void {
  let rules: Rules;
  beforeAll(async () => {
    rules = await openRules();
  }, 180_000);
  afterAll(() => rules.close());
  beforeEach(async () => {
    await rules.reset();
    take({ rules, pool: await makePool(rules) });
  });
}

export async function makePool(rules: Rules): Promise<string> {
  const id = ulid();
  await rules.context.db
    .insertInto('worker_pools')
    .values({
      id,
      name: id,
      description: '',
      labels: '[]',
      space: 'root',
      drift_detection_run_limit: null,
      managed_by_k8s_controller: false,
      certificate: 'certificate',
      certificate_serial: '01',
      public_key: 'key',
      created_at: rules.now,
      updated_at: rules.now,
      deleted_at: null,
    })
    .execute();
  return id;
}

export interface SimulatedWorker {
  readonly id: string;
  readonly pool: string;
  /** `drained`: what it was last told; default: it says nothing of it. */
  register(held?: HeldRun, drained?: boolean): Promise<void>;
  /** `leaving`: it has heard that it is to leave; default false. */
  heartbeat(held: HeldRun, leaving?: boolean, unavailable?: string): Promise<void>;
  gone(orderly: boolean): Promise<void>;
}

export async function makeWorker(
  rules: Rules,
  pool: string,
  executor: WorkerRow['executor'] = 'host',
): Promise<SimulatedWorker> {
  const id = ulid();
  let session = 'a'.repeat(32);
  let sessions = 0;
  const sender = { pool, worker: id, certificateSerial: '01' };
  const up = () => ({ v: 1 as const, session, at: rules.now });
  const worker: SimulatedWorker = {
    id,
    pool,
    register(held = null, drained) {
      sessions += 1;
      session = String(sessions).padStart(32, '0');
      return registerWorker(rules.context, sender, {
        ...up(),
        type: 'register',
        metadata: { instance_id: 'i-1' },
        version: 'test',
        executor,
        held,
        leaving: false,
        ...(drained === undefined ? {} : { drained }),
      });
    },
    heartbeat: (held, leaving = false, unavailable) =>
      heartbeat(rules.context, sender, { ...up(), type: 'heartbeat', held, leaving, unavailable }),
    gone: (orderly) => workerGone(rules.context, sender, { ...up(), type: 'gone', orderly, reason: 'test' }),
  };
  await worker.register();
  return worker;
}

export async function makeStack(
  rules: Rules,
  pool: string,
  fields: Partial<StackFields> = {},
): Promise<string> {
  const name = `stack-${ulid().toLowerCase()}`;
  const commands = { plan: ['true'], apply: ['true'], destroy: ['true'] };
  return (await createStack(rules.context, { name, poolId: pool, tool: 'commands', commands, ...fields })).id;
}

export function makeRun(rules: Rules, stack: string, fields: Partial<Trigger> = {}): Promise<RunRow> {
  return triggerRun(rules.context, { stack, type: 'TRACKED', requestedBy: 'test', ...fields });
}

export function find(rules: Rules, run: string): Promise<RunRow> {
  return rules.context.db.selectFrom('runs').selectAll().where('id', '=', run).executeTakeFirstOrThrow();
}

/** Assigns, and fails when there is nothing to assign. */
export async function assigned(rules: Rules, pool: string): Promise<Match> {
  const match = await assignNext(rules.context, pool);
  if (match === undefined) throw new Error('nothing was assigned');
  return match;
}

export async function begun(rules: Rules, { run, worker }: Match): Promise<void> {
  await acceptRun(rules.context, run.id, run.attempt, worker.id);
  await beginRun(rules.context, run.id, run.attempt, worker.id);
}

/** Reports records of an attempt; numbers are given in order from `first`. */
export function report(
  rules: Rules,
  { run, worker }: Match,
  first: number,
  ...records: readonly ({ k: 'state'; s: RunState } | Partial<ResultRecord>)[]
): Promise<void> {
  const numbered = records.map((record, index) => ({
    n: first + index,
    t: rules.now,
    ...('k' in record && record.k === 'state'
      ? record
      : {
          k: 'result',
          outcome: 'finished',
          code: null,
          message: null,
          changes: null,
          workspace: null,
          commit: null,
          ...record,
        }),
  })) as SpoolRecord[];
  return applyRecords(rules.context, run.id, run.attempt, worker.id, numbered);
}
