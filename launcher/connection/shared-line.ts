// One line to the control plane for several workers of a pool. Each of them has a session of its own, registers, reports and is
// told as on a line of its own; what is shared is the connection, the regular sign of life, and the proof of the pool's key.
// docs/decisions/0016 tells why.
import { createPublicKey, type KeyObject } from 'node:crypto';
import { ulid } from 'ulid';
import { PoolwrightError } from '../../protocol/errors.js';
import { rhythm } from '../../protocol/limits.js';
import type { DownMessage } from '../../protocol/messages.js';
import type { ReplayGuard } from '../../protocol/replay.js';
import type { PoolToken } from '../../protocol/token.js';
import { createClockCheck } from './clock-check.js';
import type { Connection } from './connection.js';
import { readMessage } from './inbox.js';
import { createKeeper, type KeeperOptions } from './keeper.js';
import { createLineWords, randomSession, type LineName } from './line-words.js';
import { isIdle } from './presence.js';
import { createRegistrations } from './registrations.js';
import { Seat, type Line, type Member } from './seat.js';
import type { Transport } from './transport.js';

export interface SharedLineOptions extends Pick<KeeperOptions, 'clock' | 'random' | 'log' | 'keepalive'> {
  /** Ways to the control plane for the client whose id is asked for at each connect. */
  readonly transports: (client: () => string) => readonly Transport[];
  readonly token: PoolToken;
  readonly privateKey: KeyObject;
  /** Whether workers may be registered now; not while another process may have them. */
  readonly mayRegister: () => boolean;
  /** Why no worker on the line can take a run now; null when they can. Default: they can. */
  readonly unavailable?: () => string | null;
}

export interface SharedLine {
  /** The connection of one more worker. The line is opened with the first that starts. */
  join(member: Member): Connection;
  /** Says now what is true of all: whether they can take runs may have changed. */
  report(): void;
  /** The last one has ended, and the line with it: nobody can join any more. */
  readonly closed: boolean;
}

/** Milliseconds until it is told that nobody answers on a line that stands, and what is told then. */
const patience = 30_000;
const unanswered =
  'the line stands, but the control plane does not answer; one of an earlier version does not know lines that workers share: update it first';

export function createSharedLine(options: SharedLineOptions): SharedLine {
  const { token, clock, log } = options;
  const signingKey = createPublicKey(token.signingKey);
  const clockCheck = createClockCheck(log);
  const members = new Map<string, Seat>();
  const registrations = createRegistrations<Seat>({
    clock,
    mayRegister: options.mayRegister,
    register: (member) => {
      words.register(member);
    },
  });
  const keeper = createKeeper({
    ...options,
    transports: options.transports(() => line.id),
    certificate: token.certificate,
    onOpen() {
      line = { id: ulid(), session: randomSession() };
      return words.will();
    },
    onReady() {
      ready = true;
      unansweredSince = clock.monotonic();
      doubts.now = doubts.before = false;
      registrations.restart(members.values());
      beat();
    },
    onMessage: receive,
    onBroken(reason) {
      ready = false;
      cancelBeat();
      registrations.clear();
      for (const member of [...members.values()]) {
        member.registered = false;
        member.listener.onDisconnected(reason);
      }
    },
  });
  const words = createLineWords({
    pool: token.pool,
    privateKey: options.privateKey,
    clock,
    line: () => line,
    publish: (payload) => keeper.publish(payload),
    unavailable: () => options.unavailable?.() ?? null,
  });
  /** Both new for each connect. */
  let line: LineName = { id: '', session: '' };
  let state: 'new' | 'open' | 'closed' = 'new';
  let ready = false;
  /** Since when, by the monotonic clock; Infinity once somebody was answered. */
  let unansweredSince = Infinity;
  let cancelBeat: () => void = () => undefined;
  /** The control plane's clock minus the monotonic one. */
  let lastOffset: number | undefined;
  /** Whether the control plane has denied what was said of the line since the last time, and before that. */
  const doubts = { now: false, before: false };

  function beat(): void {
    cancelBeat();
    cancelBeat = clock.after(rhythm.heartbeat, beat);
    registrations.look();
    doubts.before = doubts.now;
    doubts.now = false;
    for (const member of members.values())
      if (member.registered && !isIdle(member.status())) void words.heartbeat(member);
    if (clock.monotonic() - unansweredSince > patience)
      for (const member of [...members.values()]) member.listener.onDisconnected(unanswered);
    report();
  }

  function report(): void {
    words.present(members.values(), !registrations.underWay());
  }

  function receive(payload: Buffer): void {
    const reading = readMessage(payload, signingKey, guardOf, log);
    if ('dropped' in reading) return;
    const { message } = reading;
    const member = members.get(message.worker);
    if (member === undefined) {
      doubt();
      return;
    }
    const time = member.guard.now();
    if (time !== undefined) {
      lastOffset = time - clock.monotonic();
      clockCheck.compare(clock.now(), time);
      if (!keeper.judge(time)) return;
    }
    if (message.type === 'registered') onRegistered(member, message.drained);
    else if (message.type === 'unregistered') registerAgain(member);
    else member.listener.onOrder(message);
  }

  /** What a message has to satisfy before it is believed. */
  function guardOf(message: DownMessage): Pick<ReplayGuard, 'check'> {
    const member = members.get(message.worker);
    if (member === undefined) return { check: assertForLine };
    return {
      check() {
        try {
          member.guard.check(message);
        } catch (error) {
          // A new session learns the control plane's clock anew.
          if (error instanceof PoolwrightError && error.code === 'MESSAGE_EXPIRED') registerAgain(member);
          throw error;
        }
      },
    };
  }

  /** To the line itself one thing only is said, and it does no harm when it is heard again. */
  function assertForLine({ type, id, worker, session }: DownMessage): void {
    if (type === 'unregistered' && worker === line.id && session === line.session) return;
    const message = `The message "${type}" ${id} is for ${worker}, who is not on this line, and was refused.`;
    throw new PoolwrightError('MESSAGE_REPLAYED', message);
  }

  /**
   * The control plane knows other workers on this line than are here. Messages may have crossed: when it says so twice in a
   * row, everybody registers on a new line.
   */
  function doubt(): void {
    doubts.now = true;
    if (doubts.before) keeper.cut('the control plane knows other workers on this line; beginning anew');
  }

  function onRegistered(member: Seat, drained: boolean): void {
    registrations.done(member);
    if (member.registered) return;
    member.registered = true;
    unansweredSince = Infinity;
    keeper.worked();
    member.listener.onRegistered(drained);
    // The status may have changed while `register` was under way.
    if (member.said !== JSON.stringify(member.status())) void words.heartbeat(member);
  }

  function registerAgain(member: Seat): void {
    member.registered = false;
    registrations.add(member);
  }

  async function end(member: Seat, reason: string): Promise<void> {
    if (!members.delete(member.worker)) return;
    registrations.remove(member);
    const farewell = () =>
      ready && member.session !== '' ? words.gone(member, reason) : Promise.resolve(false);
    if (members.size > 0) {
      await farewell();
      return;
    }
    state = 'closed';
    cancelBeat();
    await keeper.end(reason, farewell);
  }

  const seats: Line = {
    clock: () => clock.monotonic(),
    start(seat) {
      members.set(seat.worker, seat);
      if (state === 'new') keeper.start();
      else if (ready) registrations.add(seat);
      state = 'open';
    },
    async report(seat) {
      if (seat.registered) await words.heartbeat(seat);
    },
    now: () => (lastOffset === undefined ? clock.now() : clock.monotonic() + lastOffset),
    end,
  };

  return {
    report: () => {
      if (ready) report();
    },
    get closed() {
      return state === 'closed';
    },
    join: (member) => new Seat(seats, member, token.pool),
  };
}
