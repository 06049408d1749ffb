// One assignment from acceptance to result: accept → prepare → begin → phases → result, with its log all the way.
import { messageOf, PoolwrightError } from '../../protocol/errors.js';
import type { Assignment } from '../../protocol/messages.js';
import type { Log } from '../log.js';
import {
  asFault,
  diskFault,
  isForOthers,
  isOwnFault,
  isStale,
  outcomeOf,
  stackOf,
  wornOut,
} from './attempt-fault.js';
import { createAttemptEnd, type EndReason } from './attempt-end.js';
import { attemptFolder, makeAttemptFolder, removeAttemptFolder } from './attempt-folder.js';
import { deliver, type AttemptLog, type Result } from './delivery.js';
import { executeStage } from './execute.js';
import type { RunPrinter } from './printer.js';
import type { Outcome } from '../status/history.js';
import { noPast, openRecord, type AttemptRecord, type Past } from './record.js';
import type { StageDependencies } from './stage.js';
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

export interface Attempt {
  readonly run: string;
  readonly attempt: number;
  readonly begun: boolean;
  /** Ends it. The first reason counts, but `stale` overrides. */
  end(reason: EndReason): void;
  /** Resolves when the attempt is over, its result with the control plane, and its files are gone. Never rejects. */
  readonly done: Promise<Outcome>;
}

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
  const ending = createAttemptEnd(assignment, deps.clock);
  const { end, work, delivery } = ending;
  let begun = past.begunAt !== null;

  const state: Attempt = {
    run,
    attempt,
    get begun() {
      return begun;
    },
    end,
    done: live().catch((error: unknown) => {
      if (ending.stale || isStale(error))
        log.info(`Attempt ${String(attempt)} of run ${run} no longer counts; dropped it.`, { run });
      else log.error(`Run ${run} could not be reported: ${messageOf(error)}`, { run });
      return 'dropped';
    }),
  };
  return state;

  async function live(): Promise<Outcome> {
    const api = deps.createApi(assignment);
    ending.onHurry(() => {
      api.hurry();
    });
    const folder = attemptFolder(deps.folder, assignment);
    let record: AttemptRecord | undefined;
    try {
      try {
        record = await openFolder(folder);
      } catch (error) {
        const fault = asFault(error);
        if (begun || !isOwnFault(fault)) throw error;
        await giveBack(api, fault);
        return 'dropped';
      }
      await api.accept(delivery.signal);
      log.info(
        `${past.processes === 0 ? 'Accepted' : 'Goes on with'} run ${run}, attempt ${String(attempt)}, ` +
          `${assignment.stage.toLowerCase()} of ${assignment.stack}`,
        { run },
      );
      const { clock, now, printer } = deps;
      const outcome = await deliver({
        folder,
        record,
        past,
        executor: deps.executor.kind,
        api,
        clock,
        now,
        log,
        printer,
        after: deps.spoolAfter ?? 0,
        delivery,
        onFailure: (error) => {
          end({ kind: 'stop', error: diskFault(error, folder) });
        },
        onStale: () => {
          end({ kind: 'stale' });
        },
        work: (attemptLog) => conclude(api, folder, attemptLog),
      });
      if (outcome !== undefined) deps.onDelivered?.(outcome);
      return outcome ?? 'dropped';
    } finally {
      api.close();
      await record?.close();
      // This process may have been dropped before it took over what an earlier one had started.
      const sweep = past.processes > 0 ? deps.sweep : undefined;
      await removeAttemptFolder(folder, { run, log, sweep });
    }
  }

  /** Throws DISK_FULL when there is no room for a run: it is not taken then. */
  async function openFolder(folder: string): Promise<AttemptRecord> {
    if (past.processes > 0) return openRecord(folder);
    await deps.makeRoom?.();
    return makeAttemptFolder(folder, assignment, deps.settings.privateKey);
  }

  /** Answers the result; null when somebody else tells it. Throws STALE_ATTEMPT when nobody is to be told. */
  async function conclude(api: WorkerApi, folder: string, attemptLog: AttemptLog): Promise<Result | null> {
    const { journal } = attemptLog;
    let commit: string | null = null;
    const result = (outcome: Result['outcome'], rest: Partial<Result> = {}): Result => ({
      k: 'result',
      outcome,
      code: null,
      message: null,
      changes: null,
      workspace: null,
      commit,
      ...rest,
    });
    try {
      if (past.begunAt === null && past.processes >= preparations) throw wornOut(past.processes);
      const execution = executeStage({
        deps,
        assignment,
        api,
        folder,
        ...attemptLog,
        past,
        signal: work,
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
      ending.executing(execution);
      const product = await execution;
      log.info(`Run ${run} finished its ${assignment.stage.toLowerCase()}`, { run });
      return result('finished', product);
    } catch (error) {
      if (ending.stale || isStale(error)) throw error;
      if (ending.handedOver) return null;
      const { stop } = ending;
      const fault = stop ?? asFault(error);
      // Another worker may do better, and no command has run.
      if (!begun && isForOthers(fault) && (await giveBack(api, fault)))
        throw new PoolwrightError('STALE_ATTEMPT', 'The run was given back.');
      journal.line(fault.message);
      const outcome = outcomeOf(stop);
      log.info(`Run ${run} ${outcome}: ${fault.message}`, { run, code: fault.code });
      if (fault.code === 'INTERNAL') log.error(`A fault in run ${run}: ${stackOf(error)}`, { run });
      return result(outcome, { code: fault.code, message: fault.message.slice(0, 8192) });
    }
  }

  async function giveBack(api: WorkerApi, fault: PoolwrightError): Promise<boolean> {
    log.error(`Run ${run} cannot be run here: ${fault.message}`, { run, code: fault.code });
    if (isOwnFault(fault)) await deps.onUnfit?.();
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
