// The command line of the suite.
import { parseArgs } from 'node:util';
import { messageOf } from '../../../protocol/errors.js';
import { fleetKinds, type FleetKind } from './schedule.js';

export interface FaultsOptions {
  /** Of the first round; the ones after it have the numbers after it. */
  readonly seed: number;
  readonly rounds: number;
  /** Rounds at the same time, each on a fleet of its own. */
  readonly lanes: number;
  /** Only rounds on fleets of this kind. */
  readonly fleet?: FleetKind;
  readonly json: boolean;
}

export const usage = `npm run test:faults -- [--seed N] [--rounds M] [--lanes L] [--fleet KIND] [--json]

Performs rounds of random faults on real launchers and control planes, and looks whether all invariants hold.

  --seed N    seed of the first round, whole number (default: by the clock); round i has the seed N + i - 1
  --rounds M  how many (default: 20)
  --lanes L   how many at a time, each on its own control plane and launchers (default: 6)
  --fleet K   only rounds whose seed gives a fleet of this kind: ${fleetKinds.join(', ')}
  --json      one object a line: each round, then the sum

Exit code: 0 all rounds were clean, 1 not all were, 2 wrong arguments. Ctrl-C ends after the rounds under way.
`;

export class UsageFault extends Error {}

/** Throws UsageFault. */
export function parseArguments(words: readonly string[], now = Date.now()): FaultsOptions | 'help' {
  const { values } = parse(words);
  if (values.help === true) return 'help';
  return {
    seed: whole('--seed', values.seed, now % 1_000_000_000, 0),
    rounds: whole('--rounds', values.rounds, 20, 1),
    lanes: whole('--lanes', values.lanes, 6, 1),
    ...(values.fleet === undefined ? {} : { fleet: kindOf(values.fleet) }),
    json: values.json === true,
  };
}

function parse(words: readonly string[]) {
  try {
    return parseArgs({
      args: [...words],
      options: {
        seed: { type: 'string' },
        rounds: { type: 'string' },
        lanes: { type: 'string' },
        fleet: { type: 'string' },
        json: { type: 'boolean' },
        help: { type: 'boolean' },
      },
    });
  } catch (error) {
    throw new UsageFault(messageOf(error));
  }
}

function kindOf(text: string): FleetKind {
  const found = fleetKinds.find((kind) => kind === text);
  if (found !== undefined) return found;
  throw new UsageFault(
    `Expected --fleet to be one of ${fleetKinds.join(', ')}, got ${JSON.stringify(text)}.`,
  );
}

function whole(name: string, text: string | undefined, otherwise: number, least: number): number {
  if (text === undefined) return otherwise;
  const value = Number(text);
  if (!/^\d{1,9}$/.test(text) || value < least)
    throw new UsageFault(
      `Expected ${name} to be a whole number from ${String(least)} to 999999999, got ${JSON.stringify(text)}.`,
    );
  return value;
}
