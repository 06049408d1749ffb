// What is said on a line that workers share: of the line itself, and of each worker by it.
import { randomBytes, type KeyObject } from 'node:crypto';
import { protocolVersion } from '../../protocol/messages.js';
import { encodeUp } from '../../protocol/wire.js';
import type { Clock } from '../clock.js';
import type { WorkerStatus } from './connection.js';
import { createFreight } from './freight.js';
import { presenceOf } from './presence.js';
import type { Seat } from './seat.js';

/** Both new for each connect. */
export interface LineName {
  readonly id: string;
  readonly session: string;
}

export interface LineWords {
  /** The line's will. */
  will(): Buffer;
  /** Registers a worker, in a session of its own that is new. */
  register(member: Seat): void;
  heartbeat(member: Seat): Promise<unknown>;
  /** Answers whether it is on its way. */
  gone(member: Seat, reason: string): Promise<boolean>;
  /** What is true of all; `complete`: nobody is still to register. Nothing while nobody is registered. */
  present(members: Iterable<Seat>, complete: boolean): void;
}

export function createLineWords(options: {
  readonly pool: string;
  readonly privateKey: KeyObject;
  readonly clock: Pick<Clock, 'now'>;
  /** As it is now. */
  readonly line: () => LineName;
  readonly publish: (payload: Buffer) => Promise<boolean>;
  /** Why no worker on the line can take a run now; null when they can. */
  readonly unavailable: () => string | null;
}): LineWords {
  const { clock, line, publish } = options;
  const freight = createFreight({
    line: () => ({ pool: options.pool, worker: line().id, ...stamp(line()) }),
    privateKey: options.privateKey,
    publish,
  });

  function stamp({ session }: { readonly session: string }) {
    return { v: protocolVersion, session, at: clock.now() } as const;
  }

  function fault(): string | null {
    return options.unavailable()?.slice(0, 1024) ?? null;
  }

  /** What a worker says of itself holds what is true of its line. */
  function told(member: Seat): WorkerStatus {
    const status = member.status();
    member.said = JSON.stringify(status);
    return { ...status, unavailable: status.unavailable ?? fault() };
  }

  return {
    will: () => encodeUp({ ...stamp(line()), type: 'gone', orderly: false, reason: 'the connection broke' }),
    register(member) {
      member.session = randomSession();
      member.guard.begin(member.session);
      void freight.say(member.worker, {
        ...stamp(member),
        type: 'register',
        ...member.listener.identity(),
        ...told(member),
      });
    },
    heartbeat: (member) =>
      freight.say(member.worker, { ...stamp(member), type: 'heartbeat', ...told(member) }),
    gone: (member, reason) =>
      freight.say(member.worker, { ...stamp(member), type: 'gone', orderly: true, reason }),
    present(members, complete) {
      const { registered, others } = presenceOf(members);
      if (registered === 0) return;
      const workers = complete ? registered : null;
      const message = { ...stamp(line()), type: 'present', workers, others, unavailable: fault() } as const;
      void publish(encodeUp(message));
    },
  };
}

export function randomSession(): string {
  return randomBytes(16).toString('hex');
}
