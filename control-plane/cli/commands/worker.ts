// poolwright worker …: the workers of a pool.
import type { Command } from 'commander';
import { findPool } from '../api/pools.js';
import { listWorkers, setDrained, type Worker } from '../api/workers.js';
import { actWithApi, withExample } from '../invocation.js';
import type { Output } from '../output.js';
import type { Terminal } from '../terminal.js';
import { ago } from '../times.js';

function workerLine(worker: Worker, now: number): string[] {
  const metadata = Object.entries(worker.metadata).map(([key, value]) => `${key}=${value}`);
  return [
    worker.id,
    worker.connected ? worker.status : `${worker.status} (out of contact)`,
    worker.drained ? 'yes' : 'no',
    worker.run ?? '-',
    worker.executor ?? '-',
    ago(worker.createdAt, now),
    metadata.join(' '),
  ];
}

function workerTable(output: Output, workers: readonly Worker[]): string[] {
  const now = Date.now();
  return output.table(
    ['ID', 'STATUS', 'DRAINED', 'RUN', 'EXECUTOR', 'AGE', 'METADATA'],
    workers.map((worker) => workerLine(worker, now)),
  );
}

/** Adds the `worker` commands. */
export function addWorkerCommands(program: Command, terminal: Terminal): void {
  const worker = program.command('worker').description('Workers of a pool: look at, drain');

  const list = worker
    .command('list')
    .description('List the workers of a pool')
    .argument('<pool>', 'name or id');
  actWithApi(list, terminal, {}, async ({ client, output, args }) => {
    const { id } = await findPool(client, args[0] ?? '');
    const workers = await listWorkers(client, id);
    output.answer(workers, () => workerTable(output, workers));
  });
  withExample(list, 'poolwright worker list production');

  const drains = [
    ['drain', true, 'Give a worker no new run; it finishes the one it has'],
    ['undrain', false, 'Let a drained worker take runs again'],
  ] as const;
  for (const [name, drain, description] of drains) {
    const command = worker.command(name).description(description);
    command.argument('<pool>', 'name or id of its pool').argument('<worker>', 'id of the worker');
    actWithApi(command, terminal, {}, async ({ client, output, args }) => {
      const [poolName = '', workerId = ''] = args;
      const { id } = await findPool(client, poolName);
      const changed = await setDrained(client, id, workerId, drain);
      output.answer(changed, () => workerTable(output, [changed]));
    });
    withExample(command, `poolwright worker ${name} production 01K3ZB8S7RWD5N4Q2M6T9X0YVE`);
  }
}
