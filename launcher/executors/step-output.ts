// Follows the files of a step (step-script.ts): gives its output as it comes and tells how it ended.
import { watch } from 'node:fs';
import { access, constants, open, readdir, rm, type FileHandle } from 'node:fs/promises';
import { join } from 'node:path';
import { sleep, type Clock } from '../clock.js';
import { freeBytes } from '../free-bytes.js';
import type { OutputPlace, StepSink } from './executor.js';
import { stepFile } from './step-script.js';

export interface FollowRequest {
  /** Absolute: where the files are. What runs there may write to it, so nothing in it is trusted. */
  readonly folder: string;
  readonly step: number;
  readonly sink: StepSink;
  readonly clock: Clock;
  /** Whether something of the step still runs; asked now and then while its end is not known. */
  readonly alive: () => Promise<boolean>;
  /** It is being ended: its end is looked for more often. */
  readonly stop: AbortSignal;
  /**
   * Starts its shell once more, where that can be done: for one that went, or was not seen, before it had begun. A step that
   * is started twice runs once.
   */
  readonly startAgain?: () => Promise<void>;
  /** Called once when the step's own process has ended, while what it started may still hold its output. */
  readonly onEnd?: () => Promise<void>;
}

export interface StepOutcome {
  /** False when nothing of it was executed. */
  readonly begun: boolean;
  /** As the shell tells it: 128 and the signal's number for a signal. Null when everything was gone without a word. */
  readonly code: number | null;
  /** The output could not be kept: no space, or no right to write it. */
  readonly lost: boolean;
  /** How many processes of the run the kernel has killed meanwhile for memory; null where nobody has counted. */
  readonly memoryKills: number | null;
}

/** Milliseconds. */
const times = {
  /** How often to look when nothing tells of a change. */
  look: 500,
  /** How often to ask whether it is alive, and while it is being ended. */
  alive: 2000,
  dying: 200,
  /** What the step left running may hold its output open for so long after its end. */
  held: 1000,
} as const;

/** How often a shell is started in the place of one that did not begin its step. */
const furtherStarts = 2;

/** Resolves when the step has ended and its output was handed over. Removes no more than the sink lets it. */
export async function followStep(request: FollowRequest): Promise<StepOutcome> {
  const { folder, step, clock, sink } = request;
  const reader = createReader(folder, step, sink);
  const changes = watchFolder(folder, clock);
  let endedAt: number | undefined;
  let askedAt = clock.monotonic();
  let code: number | undefined;
  let startedAgain = 0;
  try {
    for (;;) {
      // Asked before the reading: what was written before the step closed is read after it.
      const closed = await exists(join(folder, stepFile(step, 'closed')));
      const lost = await exists(join(folder, stepFile(step, 'lost')));
      code ??= await readEnd(join(folder, stepFile(step, 'end')));
      await reader.drain();
      if (code !== undefined && endedAt === undefined) {
        endedAt = clock.monotonic();
        await request.onEnd?.();
        continue;
      }
      const held = endedAt !== undefined && clock.monotonic() - endedAt >= times.held;
      if (code !== undefined && (closed || lost || held))
        return {
          begun: true,
          code,
          lost,
          memoryKills: await readMemoryKills(join(folder, stepFile(step, 'memory'))),
        };
      const dying = request.stop.aborted;
      if (code === undefined && clock.monotonic() - askedAt >= (dying ? times.dying : times.alive)) {
        askedAt = clock.monotonic();
        if (!(await request.alive())) {
          // It may have ended in order just before it was asked for.
          code = await readEnd(join(folder, stepFile(step, 'end')));
          await reader.drain();
          if (code !== undefined) continue;
          const begun = await wasBegun(folder, step);
          const { stop, startAgain } = request;
          // Asked anew: it may have been stopped since, and whoever ends it has found nobody then.
          if (!begun && !stop.aborted && startAgain !== undefined && startedAgain < furtherStarts) {
            startedAgain += 1;
            await startAgain();
            continue;
          }
          return { begun, code: null, lost: lost || (await isFull(folder)), memoryKills: null };
        }
      }
      await changes.next(endedAt !== undefined ? 50 : dying ? times.dying : times.look);
    }
  } finally {
    changes.close();
    await reader.close();
  }
}

/** Whether the step was started, here or by an earlier process. */
export function wasBegun(folder: string, step: number): Promise<boolean> {
  return exists(join(folder, stepFile(step, 'begun')));
}

/** Process id of the step's shell, as it sees itself; undefined when it is not known. */
export async function processOf(folder: string, step: number): Promise<number | undefined> {
  return readNumber(join(folder, stepFile(step, 'begun')));
}

/** Removes the files of a step that is over. */
export async function forgetStep(folder: string, step: number): Promise<void> {
  const names = await readdir(folder);
  for (const name of names.filter((each) => each.startsWith(`${String(step)}.`)))
    await rm(join(folder, name));
}

interface Reader {
  /** Hands over all that is there. */
  drain(): Promise<void>;
  close(): Promise<void>;
}

function createReader(folder: string, step: number, sink: StepSink): Reader {
  const buffer = Buffer.allocUnsafeSlow(256 * 1024);
  const pathOf = (segment: number) => join(folder, stepFile(step, segment));
  let { segment, offset }: OutputPlace = sink.from;
  let removed = segment - 1;
  let handle: FileHandle | undefined;

  async function advance(): Promise<void> {
    await handle?.close();
    handle = undefined;
    segment += 1;
    offset = 0;
  }

  return {
    async drain() {
      let complete = false;
      for (;;) {
        handle ??= await openFile(pathOf(segment));
        if (handle === undefined) return;
        const { bytesRead } = await handle.read(buffer, 0, buffer.length, offset);
        if (bytesRead > 0) {
          sink.output(buffer.subarray(0, bytesRead), { segment, offset });
          offset += bytesRead;
        } else if (complete) {
          await advance();
          complete = false;
        } else {
          // The next one is begun when this one is complete; what came just before that is read first.
          complete = await exists(pathOf(segment + 1));
          if (!complete) break;
        }
        await sink.settled();
      }
      for (; removed + 1 < Math.min(sink.needed(), segment); removed += 1)
        await rm(pathOf(removed + 1), { force: true });
    },
    async close() {
      await handle?.close();
    },
  };
}

/** A plain file, and no way out of the folder: whoever runs there may have put a link or a pipe in its place. */
async function openFile(path: string): Promise<FileHandle | undefined> {
  let handle: FileHandle | undefined;
  try {
    handle = await open(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
    if ((await handle.stat()).isFile()) return handle;
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? error.code : undefined;
    if (code !== 'ENOENT' && code !== 'ELOOP' && code !== 'ENXIO') throw error;
  }
  await handle?.close();
  return undefined;
}

/** The number that is the file's first line, once it is written whole. */
async function readNumber(path: string): Promise<number | undefined> {
  const match = /^(\d{1,10})\n/.exec(await readBeginning(path));
  return match === null ? undefined : Number(match[1]);
}

/** By how much the count of the kernel's kills has grown; null unless it was taken before the step and after it. */
async function readMemoryKills(path: string): Promise<number | null> {
  const match = /^(\d{1,10}) (\d{1,10})\n/.exec(await readBeginning(path));
  return match === null ? null : Number(match[2]) - Number(match[1]);
}

/** Empty when there is no such file. */
async function readBeginning(path: string): Promise<string> {
  const handle = await openFile(path);
  if (handle === undefined) return '';
  try {
    const { buffer, bytesRead } = await handle.read(Buffer.alloc(32), 0, 32, 0);
    return buffer.toString('latin1', 0, bytesRead);
  } finally {
    await handle.close();
  }
}

/** The exit code, once it is written whole. */
async function readEnd(path: string): Promise<number | undefined> {
  const code = await readNumber(path);
  return code === undefined || code > 999 ? undefined : code;
}

/** Whether there is no room for the few bytes that tell how a step ended. */
async function isFull(folder: string): Promise<boolean> {
  return (await freeBytes(folder)) < 64 * 1024;
}

function exists(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  );
}

/** Tells when something in a folder has changed. Where the system cannot tell, it is looked at often instead. */
function watchFolder(folder: string, clock: Clock): { next(most: number): Promise<void>; close(): void } {
  let changed = false;
  let wake: () => void = () => undefined;
  let blind = false;
  const onChange = () => {
    changed = true;
    wake();
  };
  let close: () => void = () => undefined;
  try {
    const watcher = watch(folder, { persistent: false }, onChange);
    watcher.on('error', () => (blind = true));
    close = () => {
      watcher.close();
    };
  } catch {
    // No watches left on this machine.
    blind = true;
  }
  return {
    async next(most) {
      if (!changed) {
        const cut = new AbortController();
        wake = () => {
          cut.abort();
        };
        await sleep(clock, blind ? Math.min(most, 30) : most, cut.signal);
      }
      changed = false;
    },
    close,
  };
}
