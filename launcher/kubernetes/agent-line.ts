// What is particular to the line of a worker that a controller keeps.
import type { Transport } from '../connection/transport.js';
import type { Log } from '../log.js';

/** Of two controllers that were both connected as the same worker, each would cut the other's line. */
export function openWhileLeading(transport: Transport, leads: () => boolean): Transport {
  return {
    ...transport,
    open: (signal) =>
      leads()
        ? transport.open(signal)
        : Promise.reject(new Error('this controller cannot renew its lease, and another one may lead')),
  };
}

/** A hundred workers would say the same; the pool says it once, by an event. */
export function quiet(log: Log): Log {
  const debug: Log['debug'] = (message, fields) => {
    log.debug(message, fields);
  };
  return { debug, info: debug, warn: debug, error: debug };
}
