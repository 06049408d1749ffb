// One assignment from acceptance to result: accept → prepare → begin → phases → result, with its log all the way.
import { mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { messageOf, PoolwrightError, type ErrorCode } from '../../protocol/errors.js';
import type { Assignment } from '../../protocol/messages.js';
import type { Log } from '../log.js';
import { asFault, diskFault, isStale, stackOf, wornOut } from './attempt-fault.js';
import { executeStage, type StageDependencies } from './execute.js';
import { createJournal, type Journal } from './journal.js';
import type { RunPrinter } from './printer.js';
import {
  dropAssignment,
  keepAssignment,
  noPast,
  openRecord,
  type AttemptRecord,
  type Past,
} from './record.js';
import { openSpool, type Recovered, type Spool } from './spool.js';
import { startUploader } from './uploader.js';
import type { WorkerApi } from './worker-api.js';

export interface AttemptDependencies extends StageDependencies {
  readonly createApi: (assignment: Assignment) => WorkerApi;
  readonly log: Log;
  /** Absolute: where attempts get a folder each. */
  readonly folder: string;
  /** Sees to it that there is room for a run. Throws DISK_FULL. */
  readonly makeRoom?: () => Promise<void>;
  /** Called before a run is given back that this worker could not take. */
  readonly onUnfit?: () => Promise<void>;
  /** Called when the run may run its first command. */
  readonly onBegun: () => void;
  /** Number of the last record that others have sent in this attempt. Default: 0. */
  readonly spoolAfter?: number;
  /** Told once the control plane has the result. */
  readonly onDelivered?: (outcome: Result['outcome']) => void;
  /** Gets the run's log as text, masked; for a launcher that prints run logs. */
  readonly printer?: RunPrinter;
}

/** Why an attempt is ended from outside. */
export type EndReason =
  /** The run goes on elsewhere or has ended: nothing more is said of this attempt. */
  | { readonly kind: 'stale' }
  /** Somebody or something wants it ended; the result says so. */
  | { readonly kind: 'stop'; readonly error: PoolwrightError }
  /** Ended from outside, and somebody who knows why tells the result: only the log is delivered. */
  | { readonly kind: 'hand-over'; readonly error: PoolwrightError };

export interface Attempt {
  readonly run: string;
  readonly attempt: number;
  readonly begun: boolean;
  /** Ends it. The first reason counts, but `stale` overrides. */
  end(reason: EndReason): void;
  /** Resolves when the attempt is over, its result with the control plane, and its files are gone. Never rejects. */
  readonly done: Promise<void>;
}

/** Milliseconds that a last word may take when the launcher itself has to end, once the run's steps have ended. */
const lastWordsWithin = 5_000;
/** Ends of this worker rather than of the run. */
const workerEnds: ReadonlySet<ErrorCode> = new Set(['LAUNCHER_STOPPED', 'MACHINE_TERMINATED']);
/** Nobody asked for these ends, so the run has failed. */
const failures: ReadonlySet<ErrorCode> = new Set([
  'RUN_TIMED_OUT',
  'RUN_SILENT',
  'MACHINE_TERMINATED',
  'DISK_FULL',
]);
/** Faults of this worker rather than of the run: another worker may do better. */
const ownFaults: ReadonlySet<ErrorCode> = new Set(['ENGINE_UNAVAILABLE', 'DISK_FULL']);

/** Prepared anew so many times at most: whatever ends the launcher while it prepares may do so again. */
const preparations = 3;

/** `past`: what earlier processes have done of it, when it is taken up again. */
export function startAttempt(
  deps: AttemptDependencies,
  assignment: Assignment,
  past: Past = noPast,
): Attempt {
  const { run, attempt } = assignment;
  const log = deps.log;
  const work = new AbortController();
  const delivery = new AbortController();
  let begun = past.begunAt !== null;
  let stop: PoolwrightError | undefined;
  let stale = false;
  let handedOver = false;
  /** Settles when no step runs: at once while none was started. */
  let executed: Promise<unknown> = Promise.resolve();

  function end(reason: EndReason): void {
    if (reason.kind === 'stale') {
      stale = true;
      const error = new PoolwrightError(
        'STALE_ATTEMPT',
        `Attempt ${String(attempt)} of run ${run} no longer counts.`,
      );
      work.abort(error);
      delivery.abort(error);
      return;
    }
    if (stop !== undefined) return;
    handedOver = reason.kind === 'hand-over';
    stop = reason.error;
    work.abort(reason.error);
    if (reason.error.code === 'LAUNCHER_STOPPED') {
      // Steps have a time of their own to end in order, and what becomes of them is the last word.
      void executed.then(() => {
        deps.clock.after(lastWordsWithin, () => {
          delivery.abort(reason.error);
        });
      });
    }
  }

  const state: Attempt = {
    run,
    attempt,
    get begun() {
      return begun;
    },
    end,
    done: live().catch((error: unknown) => {
      if (stale || isStale(error))
        log.info(`Attempt ${String(attempt)} of run ${run} no longer counts; dropped it.`, { run });
      else log.error(`Run ${run} could not be reported: ${messageOf(error)}`, { run });
    }),
  };
  return state;

  async function live(): Promise<void> {
    const api = deps.createApi(assignment);
    const folder = attemptFolder(deps.folder, assignment);
    let record: AttemptRecord | undefined;
    try {
      try {
        record = await openFolder(folder);
      } catch (error) {
        const fault = asFault(error);
        if (begun || !ownFaults.has(fault.code)) throw error;
        await giveBack(api, fault);
        return;
      }
      await api.accept(delivery.signal);
      log.info(
        `${past.processes === 0 ? 'Accepted' : 'Goes on with'} run ${run}, attempt ${String(attempt)}, ` +
          `${assignment.stage.toLowerCase()} of ${assignment.stack}`,
        { run },
      );
      await withLog(api, folder, record);
    } finally {
      api.close();
      await record?.close();
      if (await nothingLeft()) await removeFolder(folder);
    }
  }

  /** Whether no step runs on that an earlier process started: this one may have been dropped before it took it over. */
  async function nothingLeft(): Promise<boolean> {
    try {
      if (past.processes > 0) await deps.sweep?.();
      return true;
    } catch (error) {
      const text = `What the launcher before had started for run ${run} could not be ended: ${messageOf(error)}.`;
      log.error(`${text} The run's folder is kept, so that the next one tries again.`, { run });
      return false;
    }
  }

  /** Throws DISK_FULL when there is no room for a run: it is not taken then. */
  async function openFolder(folder: string): Promise<AttemptRecord> {
    if (past.processes === 0) {
      await deps.makeRoom?.();
      await mkdir(folder, { recursive: true, mode: 0o700 });
      await keepAssignment(folder, assignment, deps.settings.privateKey);
    }
    return openRecord(folder);
  }

  async function removeFolder(folder: string): Promise<void> {
    try {
      // First: an attempt that is over is not taken up again.
      await dropAssignment(folder);
      await rm(folder, { recursive: true, force: true });
    } catch (error) {
      log.warn(`The folder ${folder} could not be removed: ${messageOf(error)}`, { run });
    }
  }

  /** Runs the attempt and delivers everything that it says. */
  async function withLog(api: WorkerApi, folder: string, record: AttemptRecord): Promise<void> {
    const spool = await openSpool({
      path: join(folder, 'spool.ndjson'),
      now: deps.now,
      note: (n, mark) => record.append({ k: 'spool', n, mark }),
      past: past.spooled,
      after: deps.spoolAfter ?? 0,
      onFailure: (error) => {
        end({ kind: 'stop', error: diskFault(error, folder) });
      },
    });
    const { recovered } = spool;
    await record.append({ k: 'process', executor: deps.executor.kind });
    const journal = createJournal({
      spool,
      clock: deps.clock,
      ...(deps.printer === undefined ? {} : { onText: deps.printer.text }),
    });
    if (recovered.state !== null) journal.stay(recovered.state);
    const uploader = startUploader({
      spool,
      after: deps.spoolAfter ?? 0,
      api,
      log,
      signal: delivery.signal,
      resumed: past.processes > 0,
      onStale: (error) => {
        log.debug(error.message);
        end({ kind: 'stale' });
      },
    });
    // Rejects when delivery is given up, which `live` hears of below; here it must not count as unheard.
    uploader.done.catch(() => undefined);
    let outcome: Result['outcome'] | undefined;
    try {
      if (!recovered.hasResult)
        await conclude({ api, folder, journal, record, recovered }, (result) => {
          outcome = result.outcome;
          spool.add(result);
        });
      await spool.finish();
      await uploader.done;
      if (outcome !== undefined && uploader.acknowledged === spool.last) deps.onDelivered?.(outcome);
    } finally {
      // Ends the uploader, should it still be at work, before the file goes.
      delivery.abort(new PoolwrightError('STALE_ATTEMPT', 'The attempt is over.'));
      await spool.finish();
      await uploader.done.catch(() => undefined);
      await spool.close();
    }
  }

  async function conclude(
    { api, folder, journal, record, recovered }: Work,
    add: (result: Result) => void,
  ): Promise<void> {
    let commit: string | null = null;
    const result = (outcome: Result['outcome'], rest: Partial<Result> = {}) => {
      journal.endOutput();
      deps.printer?.end();
      add({
        k: 'result',
        outcome,
        code: null,
        message: null,
        changes: null,
        workspace: null,
        commit,
        ...rest,
      });
    };
    try {
      if (past.begunAt === null && past.processes >= preparations) throw wornOut(past.processes);
      const execution = executeStage({
        deps,
        assignment,
        api,
        folder,
        journal,
        record,
        past,
        recovered,
        signal: work.signal,
        onCommit: (id) => {
          commit = id;
        },
        onBegun: () => {
          begun = true;
          deps.onBegun();
        },
        onOver: (error) => {
          end({ kind: 'stop', error });
        },
      });
      // How it ends is for the line after it.
      executed = execution.catch(() => undefined);
      result('finished', await execution);
      log.info(`Run ${run} finished its ${assignment.stage.toLowerCase()}`, { run });
    } catch (error) {
      if (stale || isStale(error)) throw error;
      if (handedOver) {
        journal.endOutput();
        return;
      }
      const fault = stop ?? asFault(error);
      if (mayGiveBack(fault) && (await giveBack(api, fault))) {
        throw new PoolwrightError('STALE_ATTEMPT', 'The run was given back.');
      }
      journal.line(fault.message);
      const outcome = stop === undefined || failures.has(stop.code) ? 'failed' : 'stopped';
      result(outcome, { code: fault.code, message: fault.message.slice(0, 8192) });
      log.info(`Run ${run} ${outcome}: ${fault.message}`, { run, code: fault.code });
      if (fault.code === 'INTERNAL') log.error(`A fault in run ${run}: ${stackOf(error)}`, { run });
    }
  }

  /** Another worker may do better, and no command has run. */
  function mayGiveBack({ code }: PoolwrightError): boolean {
    return !begun && (workerEnds.has(code) || ownFaults.has(code));
  }

  async function giveBack(api: WorkerApi, fault: PoolwrightError): Promise<boolean> {
    log.error(`Run ${run} cannot be run here: ${fault.message}`, { run, code: fault.code });
    if (ownFaults.has(fault.code)) await deps.onUnfit?.();
    try {
      await api.reject({ code: fault.code, message: fault.message }, delivery.signal);
      return true;
    } catch (error) {
      // The control plane let it begin, and only the answer got lost: then the result has to be told.
      if (error instanceof PoolwrightError && error.code === 'CONFLICT') return false;
      throw error;
    }
  }
}

/** What the work on an attempt goes by. */
interface Work {
  readonly api: WorkerApi;
  readonly folder: string;
  readonly journal: Journal;
  readonly record: AttemptRecord;
  readonly recovered: Recovered;
}

type Result = Extract<Parameters<Spool['add']>[0], { k: 'result' }>;

/** Where an attempt keeps what is its own, below the folder of the launcher's life. */
export function attemptFolder(life: string, { run, attempt }: Pick<Assignment, 'run' | 'attempt'>): string {
  return join(life, `${run}.${String(attempt)}`);
}
