// Workers whose lines are cut in the ways in which networks do it, seen by looks once a second: most of a pool at once is an
// alarm and no loss, one among many is lost in time.
import { describe, expect, it, vi } from 'vitest';
import { listAlarms } from '../../../control-plane/pools/alarms.js';
import { massLossPatience } from '../../../control-plane/queue/mass-loss.js';
import { createLook } from '../../../control-plane/queue/reconciler.js';
import { rhythm } from '../../../protocol/limits.js';
import { eachWithRules, makeWorker, type Rules, type SimulatedWorker } from '../support/rules.js';

// Many seconds of a pool, of which each has its look.
vi.setConfig({ testTimeout: 120_000 });

const second = 1000;
const hour = 3600 * second;
/** Between looks where nothing happens for long; not so much that it is a gap. */
const seldom = 5 * second;

let rules: Rules;
let pool: string;
eachWithRules((given) => {
  ({ rules, pool } = given);
});

interface Member {
  readonly worker: SimulatedWorker;
  /** Milliseconds by which its reports are later than whole multiples of `heartbeat`. */
  readonly phase: number;
  /** Nothing of it comes through. */
  cut: boolean;
}

/** Workers that report as launchers do, in a time that goes on by tenths of a second; `start` is 0 in it. */
async function makeFleet(phases: readonly number[]) {
  const start = Math.ceil(rules.now / rhythm.heartbeat) * rhythm.heartbeat;
  const members: Member[] = [];
  for (const phase of phases) {
    rules.now = start - rhythm.heartbeat + phase;
    members.push({ worker: await makeWorker(rules, pool), phase, cut: false });
  }
  rules.now = start;
  let up = 0;
  const look = createLook(
    rules.context,
    () => true,
    () => up,
  );
  const planned: { readonly at: number; readonly act: () => Promise<void> }[] = [];
  let passed = 0;
  const left = async () => {
    const rows = await rules.context.db.selectFrom('workers').select('id').execute();
    return members.filter(({ worker }) => rows.some(({ id }) => id === worker.id));
  };
  return {
    members,
    left,
    /** The broker tells, in so many milliseconds, that a connection broke. */
    tell: ({ worker }: Member, after: number) =>
      planned.push({ at: passed + after, act: () => worker.gone(false) }),
    /** Nothing runs meanwhile. */
    pause(time: number) {
      rules.now += time;
      up += time;
    },
    /** `interval`: between two looks. */
    async pass(time: number, interval = second) {
      for (const end = passed + time; passed < end;) {
        passed += 100;
        rules.now += 100;
        up += 100;
        for (const { worker, phase, cut } of members)
          if (!cut && (passed - phase) % rhythm.heartbeat === 0) await worker.heartbeat(null);
        for (const { at, act } of planned) if (at > passed - 100 && at <= passed) await act();
        if (passed % interval === 0) await look();
      }
    },
    /** Until there are no more than so many; how long that took. */
    async passUntil(workers: number, most = 60 * second): Promise<number> {
      const begun = passed;
      while ((await left()).length > workers && passed - begun < most) await this.pass(second);
      return passed - begun;
    },
    async back(some: readonly Member[]) {
      for (const member of some) {
        member.cut = false;
        await member.worker.register();
      }
    },
  };
}
type Fleet = Awaited<ReturnType<typeof makeFleet>>;

/** Reports of so many workers spread evenly over the time between two. */
const spread = (count: number) =>
  Array.from({ length: count }, (_, index) => Math.floor((index * 100) / count) * 100);

/** As the broker notices it: 12 s after a last packet, which each sent within the 8 s before. */
function keepAlivesEnd(fleet: Fleet, members: readonly Member[]): void {
  for (const [index, member] of members.entries())
    fleet.tell(member, 4000 + Math.floor((((index * 7) % members.length) * 80) / members.length) * 100);
}

function cut(members: readonly Member[]): void {
  for (const member of members) member.cut = true;
}

const alarms = async () =>
  (await listAlarms(rules.context)).map(({ cleared_at }) => (cleared_at === null ? 'open' : 'over'));

type Tell = (fleet: Fleet, members: readonly Member[]) => void;
const oneAtOnce: Tell = (fleet, [first]) => {
  if (first !== undefined) fleet.tell(first, 100);
};
const halfAtOnce: Tell = (fleet, members) => {
  const half = members.filter((_, index) => index % 2 === 0);
  for (const member of half) fleet.tell(member, 100);
  const others = members.filter((member) => !half.includes(member));
  keepAlivesEnd(fleet, others);
};

describe('all workers that are cut off at once are kept, and an alarm is raised', () => {
  it.each<[number, string, Tell]>([
    [10, 'their keep-alives end one after the other', keepAlivesEnd],
    [100, 'their keep-alives end one after the other', keepAlivesEnd],
    [10, 'no broker tells', () => undefined],
    [100, 'no broker tells', () => undefined],
    [10, 'one connection breaks at once, the others fall silent', oneAtOnce],
    [10, 'half of the connections break at once', halfAtOnce],
  ])('%d: %s', async (count, _how, tell) => {
    const fleet = await makeFleet(spread(count));
    await fleet.pass(13 * second, seldom);
    cut(fleet.members);
    tell(fleet, fleet.members);
    await fleet.pass(45 * second);
    expect(await fleet.left()).toHaveLength(count);
    expect(await alarms()).toEqual(['open']);
  });
});

describe('one worker that goes among ten', () => {
  it.each([1000, 2000, 3000, 8000])(
    'is lost 8 seconds after its connection broke (its reports come at %d ms)',
    async (phase) => {
      const fleet = await makeFleet(spread(10));
      await fleet.pass(13 * second, seldom);
      const member = fleet.members.find((one) => one.phase === phase)!;
      cut([member]);
      await member.worker.gone(false);
      await fleet.pass(7 * second);
      expect(await fleet.left()).toHaveLength(10);
      await fleet.pass(second);
      expect(await fleet.left()).toHaveLength(9);
      expect(await alarms()).toEqual([]);
    },
  );

  it('is lost 38 seconds after its last word when no broker tells', async () => {
    const fleet = await makeFleet(spread(10));
    await fleet.pass(10 * second);
    // Its last word came at this moment.
    cut(fleet.members.slice(0, 1));
    expect(await fleet.passUntil(9)).toBeLessThanOrEqual(rhythm.silence + rhythm.lostAfter + second);
    expect(await alarms()).toEqual([]);
  });

  it('is lost with the next report of the others when all of them report at once and did so just before', async () => {
    const fleet = await makeFleet(Array<number>(10).fill(0));
    await fleet.pass(10.5 * second);
    const [member] = fleet.members;
    cut([member!]);
    await member!.worker.gone(false);
    await fleet.pass(9 * second);
    expect(await fleet.left()).toHaveLength(10);
    await fleet.pass(second);
    expect(await fleet.left()).toHaveLength(9);
    expect(await alarms()).toEqual([]);
  });
});

it('workers that go one after the other, over minutes, are each lost in time', async () => {
  const fleet = await makeFleet(spread(6));
  for (let gone = 1; gone <= 6; gone += 1) {
    await fleet.pass(40 * second, seldom);
    const member = fleet.members[gone - 1]!;
    cut([member]);
    await member.worker.gone(false);
    await fleet.pass(rhythm.lostAfter);
    expect(await fleet.left()).toHaveLength(6 - gone);
  }
  expect(await alarms()).toEqual([]);
});

it('when half of them come back before anybody counts as lost, the others are lost in time', async () => {
  const fleet = await makeFleet(spread(10));
  await fleet.pass(13 * second, seldom);
  cut(fleet.members);
  keepAlivesEnd(fleet, fleet.members);
  await fleet.pass(10 * second);
  await fleet.back(fleet.members.slice(0, 5));
  // The last of them was missed 12 s after the cut.
  await fleet.pass(2 * second + rhythm.lostAfter);
  expect(await fleet.left()).toEqual(fleet.members.slice(0, 5));
  expect(await alarms()).toEqual([]);
});

it('when half of them come back after the alarm, the others have their ten minutes, and then are lost', async () => {
  const fleet = await makeFleet(spread(5));
  await fleet.pass(13 * second, seldom);
  cut(fleet.members);
  keepAlivesEnd(fleet, fleet.members);
  // Somebody's time is over already, that of others not yet.
  await fleet.pass(14 * second);
  expect(await alarms()).toEqual(['open']);
  const first = await rules.context.db
    .selectFrom('workers')
    .select('id')
    .where('lost_at', '<=', rules.now)
    .execute();
  const returning = [
    ...fleet.members.filter(({ worker }) => first.some(({ id }) => id === worker.id)),
    ...fleet.members.filter(({ worker }) => !first.some(({ id }) => id === worker.id)),
  ].slice(0, 3);
  await fleet.back(returning);
  await fleet.pass(massLossPatience - 10 * second, seldom);
  expect(await fleet.left()).toHaveLength(5);
  expect(await alarms()).toEqual(['open']);
  await fleet.pass(10 * second);
  expect(await fleet.left()).toEqual(fleet.members.filter((member) => returning.includes(member)));
  expect(await alarms()).toEqual(['over']);
});

it('an alarm is over when all are back, and the next cut raises another', async () => {
  const fleet = await makeFleet(spread(5));
  for (let time = 1; time <= 2; time += 1) {
    await fleet.pass(13 * second, seldom);
    cut(fleet.members);
    keepAlivesEnd(fleet, fleet.members);
    await fleet.pass(25 * second);
    expect(await alarms()).toEqual(['open', ...Array<string>(time - 1).fill('over')]);
    await fleet.back(fleet.members);
    await fleet.pass(second);
    expect(await alarms()).toEqual(Array<string>(time).fill('over'));
  }
  expect(await fleet.left()).toHaveLength(5);
});

it('those who are cut off at once while the ten minutes of others end have ten minutes of their own', async () => {
  const fleet = await makeFleet(spread(5));
  await fleet.pass(13 * second, seldom);
  cut(fleet.members);
  keepAlivesEnd(fleet, fleet.members);
  await fleet.pass(14 * second);
  const [stays, ...returning] = fleet.members;
  await fleet.back(returning);
  await fleet.pass(massLossPatience - 25 * second, seldom);
  cut(returning);
  keepAlivesEnd(fleet, returning);
  await fleet.pass(50 * second);
  expect(await fleet.left()).toEqual(fleet.members.filter((member) => member !== stays));
  expect(await alarms()).toEqual(['open', 'over']);
});

describe('when the control plane does not listen for a while', () => {
  const away = (fleet: Fleet, how: 'paused' | 'ahead' | 'back') => {
    if (how === 'paused') fleet.pause(60 * second);
    else rules.now += how === 'ahead' ? hour : -hour;
  };

  it.each(['paused', 'ahead', 'back'] as const)(
    'and the workers were cut off just before, all are kept: %s',
    async (how) => {
      for (const before of [1, 10]) {
        await rules.context.db.deleteFrom('workers').execute();
        await rules.context.db.deleteFrom('alarms').execute();
        const fleet = await makeFleet(spread(10));
        await fleet.pass(13 * second, seldom);
        cut(fleet.members);
        keepAlivesEnd(fleet, fleet.members);
        await fleet.pass(before * second);
        away(fleet, how);
        await fleet.pass(60 * second, seldom);
        expect(await fleet.left()).toHaveLength(10);
        expect(await alarms()).toEqual(['open']);
      }
    },
  );

  it.each(['paused', 'back'] as const)(
    'during an alarm, it stays one alarm, and ends no later than ten minutes from then: %s',
    async (how) => {
      const fleet = await makeFleet(spread(5));
      await fleet.pass(13 * second, seldom);
      cut(fleet.members);
      keepAlivesEnd(fleet, fleet.members);
      await fleet.pass(30 * second);
      away(fleet, how);
      await fleet.pass(massLossPatience - 100 * second, seldom);
      expect(await fleet.left()).toHaveLength(5);
      expect(await alarms()).toEqual(['open']);
      await fleet.pass(105 * second, seldom);
      expect(await fleet.left()).toEqual([]);
      expect(await alarms()).toEqual(['over']);
    },
  );

  it('those who come back are kept, and the one that does not is lost in time', async () => {
    const fleet = await makeFleet(spread(10));
    await fleet.pass(13 * second, seldom);
    const [member] = fleet.members;
    cut([member!]);
    fleet.pause(60 * second);
    await fleet.pass(rhythm.returnAfterRestart);
    expect(await fleet.left()).toHaveLength(10);
    await fleet.pass(2 * second);
    expect(await fleet.left()).toEqual(fleet.members.slice(1));
    expect(await alarms()).toEqual([]);
  });
});
