// What is kept on disk of an attempt, so that the next launcher process can go on with it: the assignment, sealed
// for the pool's key, and how far the attempt has come. The log itself is in the spool (spool.ts).
import type { KeyObject } from 'node:crypto';
import { open, readFile, rename, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import * as z from 'zod';
import { errorCodes, type ErrorCode } from '../../protocol/errors.js';
import { assignmentSchema, type Assignment } from '../../protocol/messages.js';
import { openBytes } from '../../protocol/sealing/open.js';
import { sealBytes } from '../../protocol/sealing/seal.js';
import { changesSchema, type Changes } from '../../protocol/worker-api.js';
import { ifThere } from '../absent.js';
import { writeWhole } from './write-whole.js';

/** Up to where the output of a step is in the spool. */
const markSchema = z.object({
  step: z.int().min(1),
  segment: z.int().min(1),
  offset: z.int().min(0),
  /** So many bytes after it belong to a secret whose mask is in the spool already. */
  covered: z.int().min(0),
});
export type OutputMark = z.infer<typeof markSchema>;

const errorCodeSchema = z.custom<ErrorCode>(
  (value) => typeof value === 'string' && Object.hasOwn(errorCodes, value),
);

const entrySchema = z.discriminatedUnion('k', [
  /** A process begins to work on the attempt. */
  z.object({ k: z.literal('process'), executor: z.enum(['docker', 'host', 'pod']) }),
  z.object({ k: z.literal('commit'), commit: z.string().nullable() }),
  /** Begin was granted; `at`: when the run's time began to count, in milliseconds since the start of the machine. */
  z.object({ k: z.literal('begun'), at: z.number() }),
  /** A step is about to be started. */
  z.object({ k: z.literal('step'), step: z.int().min(1) }),
  /** A step has succeeded, and all its output is in the spool. */
  z.object({ k: z.literal('ended'), step: z.int().min(1), changes: changesSchema.nullable() }),
  /** The run has failed, before anything was said of it. */
  z.object({ k: z.literal('failed'), code: errorCodeSchema, message: z.string() }),
  /** The spool is about to be written up to this record, or was found to be; 0 for none. */
  z.object({ k: z.literal('spool'), n: z.int().min(0), mark: markSchema.nullable() }),
]);
export type RecordEntry = z.infer<typeof entrySchema>;

/** How far earlier processes have come. */
export interface Past {
  /** How many there were; 0 for a new attempt. */
  readonly processes: number;
  /** What the first of them executed steps in. */
  readonly executor: 'docker' | 'host' | 'pod' | null;
  readonly commit: string | null;
  /** When its time began to count, in milliseconds since the start of the machine; null when it has not begun. */
  readonly begunAt: number | null;
  /** Number of the last step that was started, and of the last that succeeded; 0 for none. */
  readonly started: number;
  readonly ended: number;
  /** What the last step that told it would change. */
  readonly changes: Changes | null;
  /** Why the run has failed, when it has. */
  readonly failure: { readonly code: ErrorCode; readonly message: string } | null;
  /** The last writes to the spool, oldest first: the last one may not have happened. */
  readonly spooled: readonly { readonly n: number; readonly mark: OutputMark | null }[];
}

export const noPast: Past = {
  processes: 0,
  executor: null,
  commit: null,
  begunAt: null,
  started: 0,
  ended: 0,
  changes: null,
  failure: null,
  spooled: [],
};

/**
 * On the disk itself before anything follows from them: a machine that loses its power and is back within seconds would
 * else execute anew what it has forgotten. A process that is killed needs none of this.
 */
const lasting: ReadonlySet<RecordEntry['k']> = new Set(['begun', 'step']);

export interface AttemptRecord {
  /** Resolves when the entry is written; entries are written in the order of the calls. */
  append(entry: RecordEntry): Promise<void>;
  close(): Promise<void>;
}

const assignmentFile = 'assignment.sealed';
const progressFile = 'progress.ndjson';

function contextOf(run: string, attempt: number): string {
  return `attempt/${run}/${String(attempt)}`;
}

/** Keeps the assignment in the attempt's folder. From then on the attempt can be found again. */
export async function keepAssignment(
  folder: string,
  assignment: Assignment,
  privateKey: KeyObject,
): Promise<void> {
  const context = contextOf(assignment.run, assignment.attempt);
  const sealed = sealBytes(Buffer.from(JSON.stringify(assignment)), privateKey, context);
  const path = join(folder, assignmentFile);
  await writeFile(`${path}.new`, sealed, { mode: 0o600 });
  await rename(`${path}.new`, path);
}

/** From now on the attempt cannot be found again. */
export function dropAssignment(folder: string): Promise<void> {
  return rm(join(folder, assignmentFile), { force: true });
}

/** Whether the folder holds an attempt that was not over when its process was killed. */
export function holdsAttempt(folder: string): Promise<boolean> {
  return ifThere(
    stat(join(folder, assignmentFile)).then(() => true),
    false,
  );
}

/** Throws SEALED_FOR_OTHER_KEY, SEALED_DAMAGED, INTERNAL for what was not written by this program. */
export async function readAttempt(
  folder: string,
  run: string,
  attempt: number,
  privateKey: KeyObject,
): Promise<{ readonly assignment: Assignment; readonly past: Past }> {
  const sealed = await readFile(join(folder, assignmentFile));
  const text = openBytes(sealed, privateKey, contextOf(run, attempt)).toString('utf8');
  return { assignment: assignmentSchema.parse(JSON.parse(text)), past: await readPast(folder) };
}

/**
 * Empty when nothing was noted yet. Any other fault is thrown: a run that has begun must not be taken for one that has
 * not, since it would be executed again.
 */
function readProgress(folder: string): Promise<Buffer> {
  return ifThere(readFile(join(folder, progressFile)), Buffer.alloc(0));
}

async function readPast(folder: string): Promise<Past> {
  const text = (await readProgress(folder)).toString('utf8');
  let past: Past = noPast;
  // What stands after the last line end was being written when the process was killed: it does not count.
  for (const line of text.slice(0, text.lastIndexOf('\n') + 1).split('\n')) {
    if (line !== '') past = after(past, entrySchema.parse(JSON.parse(line)));
  }
  return past;
}

function after(past: Past, entry: RecordEntry): Past {
  switch (entry.k) {
    case 'process':
      return { ...past, processes: past.processes + 1, executor: past.executor ?? entry.executor };
    case 'commit':
      return { ...past, commit: entry.commit };
    case 'begun':
      return { ...past, begunAt: entry.at };
    case 'step':
      return { ...past, started: entry.step };
    case 'ended':
      return { ...past, ended: entry.step, changes: entry.changes ?? past.changes };
    case 'failed':
      return { ...past, failure: { code: entry.code, message: entry.message } };
    case 'spool':
      return { ...past, spooled: [...past.spooled.slice(-1), { n: entry.n, mark: entry.mark }] };
  }
}

/** Opens the record for writing, also that of an attempt which earlier processes have worked on. */
export async function openRecord(folder: string): Promise<AttemptRecord> {
  const path = join(folder, progressFile);
  const before = await readProgress(folder);
  const handle = await open(path, before.length === 0 ? 'w' : 'r+', 0o600);
  let offset = before.lastIndexOf('\n') + 1;
  await handle.truncate(offset);
  let queue: Promise<void> = Promise.resolve();

  async function write(entry: RecordEntry): Promise<void> {
    const bytes = Buffer.from(`${JSON.stringify(entry)}\n`);
    await writeWhole(handle, bytes, offset);
    offset += bytes.length;
    if (lasting.has(entry.k)) await handle.datasync();
  }

  return {
    append(entry) {
      // A write that failed is told to its caller; the next one takes its place in the file.
      queue = queue.catch(() => undefined).then(() => write(entry));
      return queue;
    },
    async close() {
      await queue.catch(() => undefined);
      await handle.close();
    },
  };
}
