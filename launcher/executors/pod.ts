// Steps in the container beside this one in a run pod. The pod was made for one assignment, by the pool's controller.
import { PoolwrightError } from '../../protocol/errors.js';
import type { Bridge } from '../kubernetes/pod/bridge.js';
import type { Executor } from './executor.js';

/** `project`: the run's files as the worker sees them; `home`: its home folder. */
export function createPodExecutor(
  bridge: Bridge,
  places: { readonly project: string; readonly home: string },
): Executor {
  return {
    kind: 'pod',
    check: () => Promise.resolve(),
    async open({ signal }) {
      await bridge.hello;
      signal.throwIfAborted();
      // The containers of a pod have one user, unless its pool says otherwise.
      const own = process.getuid?.();
      return {
        projectDirectory: places.project,
        user: own === undefined ? null : { id: own, of: 'image' },
        run(step, sink, stop) {
          let offset = 0;
          return bridge.run(
            { ...step, environment: { HOME: places.home, LANG: 'C.UTF-8', ...step.environment } },
            (bytes) => {
              sink.output(bytes, { segment: 1, offset });
              offset += bytes.byteLength;
            },
            stop,
          );
        },
        // Nothing is kept of a step here: a pod ends with its launcher.
        forget: () => Promise.resolve(),
        close() {
          bridge.close();
          return Promise.resolve();
        },
      };
    },
    adopt: () =>
      Promise.reject(
        new PoolwrightError('RUN_INTERRUPTED', 'The run was cut off: its pod was started a second time.'),
      ),
    // The cluster looks after its nodes.
    makeRoom: () => Promise.resolve([]),
    stores: () => Promise.resolve([]),
    // A pod is made once: nothing of another one can be in here.
    sweep: () => Promise.resolve(0),
  };
}
