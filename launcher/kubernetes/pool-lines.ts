// The lines of pools to the control plane: the workers of a pool share one, for each pair of token and key.
import type { Connection } from '../connection/connection.js';
import type { Member } from '../connection/seat.js';
import { createSharedLine, type SharedLine } from '../connection/shared-line.js';
import { createTransports } from '../connection/transports.js';
import type { Transport } from '../connection/transport.js';
import type { Clock } from '../clock.js';
import type { Log } from '../log.js';
import type { ProxySettings } from '../network/proxies.js';
import { trustedCertificates } from '../network/tls.js';
import type { PoolCredentials } from './credentials.js';

export interface PoolLinesOptions {
  /** Whether this controller may act. While it may not, a line that is there stays, and none is made. */
  readonly leads: () => boolean;
  /** Why no worker can take a run now; null when they can. */
  readonly unavailable: () => string | null;
  readonly proxies: ProxySettings;
  readonly clock: Clock;
  readonly random: () => number;
  readonly log: Log;
}

export interface PoolLines {
  /** The connection of a worker, on the line of these credentials. */
  join(credentials: PoolCredentials, member: Member): Connection;
  /** Whether workers can take runs may have changed: every line says so now. */
  report(): void;
}

export function createPoolLines(options: PoolLinesOptions): PoolLines {
  const { leads } = options;
  const lines = new Map<PoolCredentials, SharedLine>();

  function open({ token, privateKey, secureContext }: PoolCredentials): SharedLine {
    return createSharedLine({
      ...options,
      transports: (client) =>
        createTransports({
          token,
          privateKey,
          client,
          proxies: options.proxies,
          authorities: () => trustedCertificates(token.authorities, process.env),
          context: secureContext,
        }).map((transport) => openWhileLeading(transport, leads)),
      token,
      privateKey,
      // Of two controllers that have both registered a worker, each would take it from the other.
      mayRegister: leads,
      log: quiet(options.log),
    });
  }

  return {
    join(credentials, member) {
      let line = lines.get(credentials);
      if (line === undefined || line.closed) {
        for (const [old, { closed }] of lines) if (closed) lines.delete(old);
        line = open(credentials);
        lines.set(credentials, line);
      }
      return line.join(member);
    },
    report() {
      for (const line of lines.values()) line.report();
    },
  };
}

/** A controller that has lost its lease, or may have, leaves the workers to the next one. */
export function openWhileLeading(transport: Transport, leads: () => boolean): Transport {
  return {
    ...transport,
    open: (signal) =>
      leads()
        ? transport.open(signal)
        : Promise.reject(new Error('this controller cannot renew its lease, and another one may lead')),
  };
}

/** What is wrong with a line, the pool says by an event. */
function quiet(log: Log): Log {
  const debug: Log['debug'] = (message, fields) => {
    log.debug(message, fields);
  };
  return { debug, info: debug, warn: debug, error: debug };
}
