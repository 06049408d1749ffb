// The container `launcher-grpc` of a run pod: gives the steps of the stage to the container `worker`, and log, workspace
// and result to the control plane. It goes on when the controller is away.
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import * as z from 'zod';
import { PoolwrightError } from '../../../protocol/errors.js';
import { systemClock } from '../../clock.js';
import type { WorkState } from '../../../protocol/runs.js';
import { createPodExecutor } from '../../executors/pod.js';
import { startAttempt } from '../../run/attempt.js';
import type { ProxySettings } from '../../network/proxies.js';
import type { StageSettings } from '../../run/stage.js';
import { phasesOf } from '../../run/phases.js';
import { keepWorkspace } from '../../run/source/workspace.js';
import { variables } from '../../settings/variables.js';
import { writeOut } from '../../standard-output.js';
import type { LastWord, RunSecret } from './assignment-files.js';
import { openBridge } from './bridge.js';
import { givenVariables, readVariable, type GivenVariables, type Variable } from './given-variables.js';
import { inContainer, type Container, type ContainerOptions } from './container.js';
import { preparedFile } from './init.js';
import { untilHello } from './late-worker.js';
import { runLogsOf } from './run-logs.js';
import { giveSigns } from './signs-of-life.js';

/** Text of a run has its quotes escaped in a record: it cannot look like one. */
const stateRecord = /"k":"state","s":"([A-Z]+)"/g;

const preparedSchema = z.object({ commit: z.string().nullable() });

/** Resolves to the exit code. */
export function runServer(options: ContainerOptions = {}): Promise<number> {
  return inContainer(options, serve);
}

async function serve(container: Container, terminated: AbortSignal): Promise<LastWord> {
  const { secret, api, log, places, now, note } = container;
  const { assignment } = secret;
  const { commit } = preparedSchema.parse(
    JSON.parse(await readFile(join(places.state, preparedFile), 'utf8')),
  );
  let withheld: readonly string[] = [];
  const bridge = openBridge({
    folder: places.bridge,
    customBinariesPath: secret.customBinariesPath,
    withheld: () => withheld,
    clock: systemClock,
    grace: secret.grace,
  });
  const stopWaiting = new Promise<never>((_, reject) => {
    terminated.addEventListener('abort', () => {
      reject(beingEnded());
    });
  });
  stopWaiting.catch(() => undefined);
  // Timeouts and masks are the worker's own variables, which may come from ConfigMaps and Secrets.
  const { hello: worker, acknowledged } = await untilHello(Promise.race([bridge.hello, stopWaiting]), {
    ...{ api, now, clock: systemClock, signal: terminated },
    acknowledged: container.acknowledged,
  });
  const given = givenVariables(worker, process.env, assignment.runType);
  ({ withheld } = given);
  const printer = runLogsOf({ assignment, environments: [process.env, worker], write: writeOut, now });
  let outcome: LastWord['outcome'] | undefined;
  const ended = { handedOver: false };
  const attempt = startAttempt(
    {
      settings: settingsOf(secret, given, container.proxies),
      executor: createPodExecutor(bridge, {
        project: join(places.workspace, 'source'),
        home: join(places.workspace, 'home'),
      }),
      // The container init comes before, and has asked it.
      policy: null,
      prepareSource: () => Promise.resolve({ commit }),
      keepWorkspace,
      phasesOf,
      // The controller has accepted the run, and closes nothing that this container still needs.
      createApi: () => ({
        ...api,
        accept: () => Promise.resolve(),
        close: () => undefined,
        sendSpool(body, signal) {
          for (const [, state] of body.toString('utf8').matchAll(stateRecord)) note(state as WorkState);
          return api.sendSpool(body, signal);
        },
      }),
      clock: systemClock,
      now,
      log,
      folder: places.state,
      workspace: join(places.workspace, 'source'),
      environment: given.environment,
      greeting: 'The container worker is ready.',
      onBegun: () => undefined,
      spoolAfter: acknowledged,
      ...(printer === undefined ? {} : { printer }),
      onDelivered: (told) => {
        outcome = told;
      },
    },
    assignment,
  );
  const handOver = () => {
    ended.handedOver = true;
    attempt.end({ kind: 'hand-over', error: beingEnded() });
  };
  void bridge.gone.then(handOver);
  terminated.addEventListener('abort', handOver);
  if (terminated.aborted) handOver();
  const over = new AbortController();
  void giveSigns({
    alive: (signal) => api.alive(signal),
    signal: over.signal,
    onStale: () => {
      attempt.end({ kind: 'stale' });
    },
    clock: systemClock,
    log,
  });
  await attempt.done;
  over.abort();
  bridge.close();
  if (outcome !== undefined) return { delivered: true, outcome };
  return ended.handedOver ? { delivered: false, outcome: 'failed' } : { delivered: true, outcome: 'dropped' };
}

function beingEnded(): PoolwrightError {
  return new PoolwrightError('LAUNCHER_STOPPED', 'The pod of this run is being ended.');
}

/** Throws INVALID_SETTINGS for timeouts that are none. */
function settingsOf(
  secret: RunSecret,
  { environment, passed, masked }: GivenVariables,
  proxies: ProxySettings,
): StageSettings {
  const read = <Value>(variable: Variable<Value>) => readVariable(variable, environment);
  return {
    privateKey: secret.privateKey,
    passedVariables: passed,
    maskedVariables: masked,
    timeouts: { run: read(variables.runTimeout), silence: read(variables.silenceTimeout) },
    debug: read(variables.debug),
    vcsMappings: [],
    sensitiveOutputs: read(variables.sensitiveOutputs),
    proxies,
    containers: { defaultImage: secret.defaultImage },
  };
}
