// The control plane, or the broker, away for ten minutes in the middle of a run: the run goes on, and its log arrives
// complete. Only when asked for, because nothing of it can be hurried: POOLWRIGHT_AWAY_MINUTES=10.
import { readFile } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { getRun, triggerRun } from '../../control-plane/cli/api/runs.js';
import { createStack } from '../../control-plane/cli/api/stacks.js';
import { available } from '../support/skips.js';
import { startFleet, type Fleet } from './random/fleet.js';
import { lackingFor } from './random/kinds.js';
import { readLog } from './random/log.js';
import { eventually, patiently } from './random/patience.js';
import { readWitness } from './random/work.js';

const minutes = Number(process.env['POOLWRIGHT_AWAY_MINUTES'] ?? 0);
const asked = available(
  'a control plane that is away for ten minutes',
  minutes > 0,
  'takes ten minutes (POOLWRIGHT_AWAY_MINUTES=10)',
);
/** The run is under way all the time, and a while longer. */
const lines = minutes * 60 + 40;

const away: readonly (readonly [string, Fleet['kind'], (fleet: Fleet) => Promise<void>])[] = [
  [
    'the control plane',
    'host',
    async ({ controlPlane }) => {
      await controlPlane.program.end('SIGKILL');
      await sleep(minutes * 60_000);
      await controlPlane.start();
    },
  ],
  [
    'the broker',
    'broker',
    async ({ broker }) => {
      await broker?.mosquitto.end('SIGKILL');
      await sleep(minutes * 60_000);
      await broker?.mosquitto.start();
    },
  ],
];

describe.skipIf(!asked)('a run under way', { timeout: minutes * 60_000 + 480_000 }, () => {
  it.concurrent.each(away)(
    'goes on while %s is away, and its log arrives complete',
    async (_, kind, leave) => {
      expect(lackingFor(kind)).toBeUndefined();
      const fleet = await startFleet(kind);
      try {
        const { client, pool, witness } = fleet;
        await createStack(client, {
          id: 'long',
          name: 'long',
          tool: 'commands',
          workerPool: pool,
          planCommands: [
            `echo "long plan $(date +%s%3N)" >>${witness}; i=0; while [ $i -lt ${String(lines)} ]; do echo line:$i; i=$((i+1)); sleep 1; done`,
          ],
        });
        const { id: run } = await triggerRun(client, { stack: 'long', runType: 'PROPOSED' });
        const log = () => readLog(client, { stack: 'long', run }, 'PLANNING').catch(() => '');
        await eventually(
          async () => (await log()).includes('line:3'),
          () => 'the first lines',
        );
        await leave(fleet);
        await eventually(
          async () => (await patiently(() => getRun(client, 'long', run))).finished,
          () => 'the end of the run',
          420_000,
        );
        const { state, failure, attempt } = await getRun(client, 'long', run);
        expect({ state, failure, attempt }).toEqual({ state: 'FINISHED', failure: null, attempt: 1 });
        expect((await log()).split('\n').filter((line) => line.startsWith('line:'))).toEqual(
          Array.from({ length: lines }, (__, index) => `line:${String(index)}`),
        );
        expect(readWitness(await readFile(witness, 'utf8'))).toHaveLength(1);
      } finally {
        await fleet.close();
      }
    },
  );
});
