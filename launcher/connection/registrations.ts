// Who on a shared line has to register: so many at a time that the control plane keeps up, and again when it does not answer.
import type { Clock } from '../clock.js';

export interface Registrations<Member> {
  /** Everybody, on a new line. */
  restart(members: Iterable<Member>): void;
  add(member: Member): void;
  /** It is answered. */
  done(member: Member): void;
  remove(member: Member): void;
  clear(): void;
  /** Those who were not answered in time are next. */
  look(): void;
  /** Whether some are still to register, or to be answered. */
  underWay(): boolean;
}

/** How many may wait for an answer, and for how many milliseconds. */
const window = { size: 200, patience: 15_000 } as const;

export function createRegistrations<Member>(options: {
  readonly clock: Pick<Clock, 'monotonic'>;
  /** While not, everybody waits. */
  readonly mayRegister: () => boolean;
  readonly register: (member: Member) => void;
}): Registrations<Member> {
  const { clock } = options;
  const waiting = new Set<Member>();
  /** Asked, and when. */
  const asked = new Map<Member, number>();

  /** In batches: each costs a signature. */
  function pump(): void {
    if (asked.size > window.size / 2 || waiting.size === 0 || !options.mayRegister()) return;
    for (const member of waiting) {
      if (asked.size >= window.size) return;
      waiting.delete(member);
      asked.set(member, clock.monotonic());
      options.register(member);
    }
  }

  const registrations: Registrations<Member> = {
    restart(members) {
      registrations.clear();
      for (const member of members) waiting.add(member);
      pump();
    },
    add(member) {
      asked.delete(member);
      waiting.add(member);
      pump();
    },
    done(member) {
      asked.delete(member);
      pump();
    },
    remove(member) {
      waiting.delete(member);
      asked.delete(member);
      pump();
    },
    clear() {
      waiting.clear();
      asked.clear();
    },
    look() {
      const late = clock.monotonic() - window.patience;
      for (const [member, at] of asked) {
        if (at > late) continue;
        asked.delete(member);
        waiting.add(member);
      }
      pump();
    },
    underWay: () => waiting.size + asked.size > 0,
  };
  return registrations;
}
