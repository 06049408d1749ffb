// What one stage of a run is asked with, and what comes of it.
import { join } from 'node:path';
import type { PoolwrightError } from '../../protocol/errors.js';
import type { Assignment } from '../../protocol/messages.js';
import { isReadRun } from '../../protocol/runs.js';
import type { Changes } from '../../protocol/worker-api.js';
import type { Clock } from '../clock.js';
import type { Executor, WorldRequest } from '../executors/executor.js';
import type { PolicyWorker } from '../policy/input.js';
import type { Policy } from '../policy/policy.js';
import type { ContainerSettings, Settings } from '../settings/settings.js';
import type { Journal } from './journal.js';
import type { Phase } from './phase.js';
import type { AttemptRecord, Past } from './record.js';
import type { KeepWorkspace, PrepareSource } from './source/source.js';
import type { Recovered } from './spool.js';
import type { WorkerApi } from './worker-api.js';

/** What a stage needs of the launcher's settings. */
export interface StageSettings extends Pick<
  Settings,
  | 'privateKey'
  | 'passedVariables'
  | 'maskedVariables'
  | 'timeouts'
  | 'debug'
  | 'vcsMappings'
  | 'proxies'
  | 'sensitiveOutputs'
> {
  readonly containers: Pick<ContainerSettings, 'defaultImage'>;
}

/** The policy of this worker, and what it sees of it. */
export interface RunPolicy {
  readonly policy: Policy;
  readonly worker: PolicyWorker;
}

export interface StageDependencies {
  readonly settings: StageSettings;
  /** Absolute: the folder with the run's files, where that is not for the attempt to make. */
  readonly workspace?: string;
  readonly executor: Executor;
  readonly prepareSource: PrepareSource;
  readonly keepWorkspace: KeepWorkspace;
  readonly phasesOf: (assignment: Assignment) => readonly Phase[];
  /** Asked before anything is prepared; null when there is none. */
  readonly policy: RunPolicy | null;
  readonly clock: Clock;
  /** Unix milliseconds by the control plane's clock. */
  readonly now: () => number;
  /** The launcher's own environment. */
  readonly environment: NodeJS.ProcessEnv;
  /** Ends whatever earlier processes of this worker's life have started. Default: there is nothing. */
  readonly sweep?: () => Promise<unknown>;
  /** Name and version of this worker, for the first line of the log. */
  readonly greeting: string;
}

export interface StageRequest {
  readonly deps: StageDependencies;
  readonly assignment: Assignment;
  readonly api: WorkerApi;
  /** Absolute: the attempt's own. */
  readonly folder: string;
  readonly journal: Journal;
  readonly record: AttemptRecord;
  /** How far earlier processes have come, and what they left in the spool. */
  readonly past: Past;
  readonly recovered: Recovered;
  readonly signal: AbortSignal;
  /** Told as soon as it is known. */
  readonly onCommit: (commit: string | null) => void;
  readonly onBegun: () => void;
  /** The run takes too long or is silent for too long; aborts `signal`. */
  readonly onOver: (error: PoolwrightError) => void;
}

export interface StageProduct {
  readonly changes: Changes | null;
  /** The object that the next stage starts from. */
  readonly workspace: string | null;
}

/** Absolute: the folder with the run's files. */
export function workspaceOf({ deps, folder }: StageRequest): string {
  return deps.workspace ?? join(folder, 'workspace');
}

/** What the stage is executed in; `signal`: what ends the opening of it. */
export function worldRequest(request: StageRequest, signal: AbortSignal = request.signal): WorldRequest {
  const { deps, journal } = request;
  const { run, attempt, runnerImage, runType } = request.assignment;
  return {
    run,
    attempt,
    workspace: workspaceOf(request),
    image: runnerImage ?? deps.settings.containers.defaultImage,
    readRun: isReadRun(runType),
    onNotice: (line) => {
      journal.line(line);
    },
    signal,
  };
}
