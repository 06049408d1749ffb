// An attempt at a run with everything around it by hand: what it is executed in, the control plane, and the clock.
import { generateKeyPairSync } from 'node:crypto';
import { mkdir } from 'node:fs/promises';
import type { Assignment } from '../../../../protocol/messages.js';
import type { RunWorld, StepEnd, WorldRequest } from '../../../../launcher/executors/executor.js';
import { startAttempt, type AttemptDependencies } from '../../../../launcher/run/attempt.js';
import { attemptFolder } from '../../../../launcher/run/attempt-folder.js';
import type { RunPrinter } from '../../../../launcher/run/printer.js';
import type { Past } from '../../../../launcher/run/record.js';
import type { KeepRequest, SourceRequest } from '../../../../launcher/run/source/source.js';
import type { WorkerApi } from '../../../../launcher/run/worker-api.js';
import { temporaryFolder } from '../../../support/temporary.js';
import { recordedLog } from '../../support/log.js';
import { manualClock } from '../../support/manual-clock.js';

export const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
export const assignment = {
  run: '01HZ0000000000000000000RRR',
  attempt: 1,
  stack: 's',
  stage: 'PLAN',
} as Assignment;

/** An attempt with one step, in a world of the test's own; `told` is what the control plane got of it. */
export async function attemptIn(options: {
  readonly run: (signal: AbortSignal) => Promise<StepEnd>;
  readonly adopt?: () => Promise<RunWorld>;
  /** Called with the attempt's folder. */
  readonly onClose?: (folder: string) => Promise<void>;
  readonly past?: Past;
  readonly printer?: RunPrinter;
  /** Milliseconds. Default: for ever. */
  readonly timeouts?: { readonly run: number; readonly silence: number };
  /** Files of the run, what it is executed in, leave to begin, and its workspace. Default: all at once. */
  readonly prepareSource?: (request: SourceRequest) => Promise<unknown>;
  readonly open?: (request: WorldRequest) => Promise<unknown>;
  readonly begin?: () => Promise<void>;
  /** Exit codes of the step that are none of a failure. Default: 0. */
  readonly success?: readonly number[];
  readonly keepWorkspace?: (request: KeepRequest) => Promise<void>;
}) {
  const life = await temporaryFolder();
  const folder = attemptFolder(life, assignment);
  await mkdir(folder);
  const clock = manualClock();
  let hurried = false;
  const rejected: string[] = [];
  const told: { k: string; code?: string; message?: string }[] = [];
  const world: RunWorld = {
    projectDirectory: '/',
    user: null,
    run: (_step, _sink, signal) => options.run(signal),
    forget: () => Promise.resolve(),
    close: () => options.onClose?.(folder) ?? Promise.resolve(),
  };
  const api: Partial<WorkerApi> = {
    accept: () => Promise.resolve(),
    begin(signal) {
      signal.throwIfAborted();
      return options.begin?.() ?? Promise.resolve();
    },
    putWorkspace: () => Promise.resolve('object'),
    reject({ code }) {
      rejected.push(code);
      return Promise.resolve();
    },
    sendSpool(body) {
      for (const line of body.toString().split('\n').filter(Boolean))
        told.push(JSON.parse(line) as (typeof told)[number]);
      return Promise.resolve(told.length);
    },
    hurry: () => (hurried = true),
    close: () => undefined,
  };
  const deps = {
    createApi: () => api,
    folder: life,
    settings: {
      privateKey,
      passedVariables: [],
      maskedVariables: [],
      containers: { defaultImage: '' },
      timeouts: options.timeouts ?? { run: 1e9, silence: 1e9 },
    },
    log: recordedLog(),
    clock,
    now: () => clock.now(),
    environment: {},
    policy: null,
    greeting: 'hello',
    phasesOf: () => [
      { state: 'PLANNING', steps: [{ name: 'plan', script: 'exit 9', success: options.success ?? [0] }] },
    ],
    async prepareSource(request: SourceRequest) {
      await options.prepareSource?.(request);
      return { commit: null };
    },
    keepWorkspace: (request: KeepRequest) => options.keepWorkspace?.(request) ?? Promise.resolve(),
    executor: {
      kind: 'host',
      async open(request: WorldRequest) {
        await options.open?.(request);
        return world;
      },
      adopt: options.adopt ?? (() => Promise.resolve(world)),
    },
    onBegun: () => undefined,
    ...(options.printer === undefined ? {} : { printer: options.printer }),
  };
  const attempt = startAttempt(
    deps as unknown as AttemptDependencies,
    {
      ...assignment,
      runType: 'TRACKED',
      bulk: { endpoint: '', token: 'a-token-of-the-attempt' },
      environment: [],
      projectRoot: null,
      source: { kind: 'none' },
    } as unknown as Assignment,
    options.past,
  );
  return {
    attempt,
    clock,
    told,
    rejected,
    hurried: () => hurried,
    result: () => told.find(({ k }) => k === 'result'),
  };
}
