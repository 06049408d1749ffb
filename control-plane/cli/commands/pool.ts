// poolwright pool …: worker pools.
import { readFile } from 'node:fs/promises';
import type { Command } from 'commander';
import { z } from 'zod';
import { messageOf } from '../../../protocol/errors.js';
import {
  createPool,
  cyclePool,
  deletePool,
  findPool,
  listPools,
  resetPool,
  updatePool,
  type Pool,
  type PoolWithToken,
} from '../api/pools.js';
import { UsageError } from '../exit.js';
import { actWithApi, collect, withExample } from '../invocation.js';
import type { Output } from '../output.js';
import { wholeNumber } from '../parse.js';
import { writePrivateFile } from '../private-file.js';
import type { Terminal } from '../terminal.js';
import { localTime } from '../times.js';

const settingsShape = {
  description: z.string().optional(),
  label: z.array(z.string()).optional(),
  space: z.string().optional(),
  driftDetectionRunLimit: z.number().optional(),
};

function settingsOptions(command: Command): Command {
  return command
    .option('--description <text>', 'what the pool is for')
    .option('--label <label>', 'label, may be repeated', collect)
    .option('--space <id>', 'space the pool belongs to')
    .option(
      '--drift-detection-run-limit <runs>',
      'most drift detection runs at once',
      wholeNumber(0, 1_000_000),
    );
}

function settingsOf(options: z.output<z.ZodObject<typeof settingsShape>>) {
  const { description, label, space, driftDetectionRunLimit } = options;
  return { description, labels: label, space, driftDetectionRunLimit };
}

function poolLines(output: Output, pool: Pool): string[] {
  return output.fields([
    ['name', pool.name],
    ['id', pool.id],
    ['description', pool.description ?? ''],
    ['labels', pool.labels.join(', ')],
    ['space', pool.space],
    ['workers', `${String(pool.workersCount)} (${String(pool.busyWorkers)} busy)`],
    ['runs waiting', String(pool.pendingRuns)],
    ['created', localTime(pool.createdAt)],
  ]);
}

async function readRequest(file: string): Promise<string> {
  try {
    return await readFile(file, 'utf8');
  } catch (cause) {
    throw new UsageError(
      `The certificate signing request ${file} cannot be read: ${messageOf(cause)}. ` +
        '`poolwright keys new --out DIR` makes a key and a request.',
      { cause },
    );
  }
}

/** The token goes into a file of mode 0600 where one is named, otherwise it is the answer's last line. */
async function answerWithToken(
  output: Output,
  made: PoolWithToken,
  tokenOut: string | undefined,
): Promise<void> {
  const { pool, token } = made;
  if (tokenOut !== undefined) {
    await writePrivateFile(tokenOut, `${token}\n`);
    output.answer({ ...pool, tokenFile: tokenOut }, () => [
      ...poolLines(output, pool),
      '',
      `The token is in ${tokenOut}.`,
    ]);
    return;
  }
  output.answer({ ...pool, token }, () => [
    ...poolLines(output, pool),
    '',
    'Token for the launchers (SPACELIFT_TOKEN); it is not shown again:',
    token,
  ]);
}

const csrHelp = 'file with the certificate signing request (PEM)';
const tokenHelp = 'write the token to this file (mode 0600) instead of stdout';

/** Adds the `pool` commands. */
export function addPoolCommands(program: Command, terminal: Terminal): void {
  const pool = program.command('pool').description('Worker pools: create, look at, change, end');

  const create = pool.command('create').description('Create a pool from a certificate signing request');
  create.argument('<name>', 'name of the pool').requiredOption('--csr <file>', csrHelp);
  settingsOptions(create).option('--token-out <file>', tokenHelp);
  actWithApi(
    create,
    terminal,
    { ...settingsShape, csr: z.string(), tokenOut: z.string().optional() },
    async (call) => {
      const [name = ''] = call.args;
      const certificateSigningRequest = await readRequest(call.options.csr);
      const made = await createPool(call.client, {
        name,
        certificateSigningRequest,
        ...settingsOf(call.options),
      });
      await answerWithToken(call.output, made, call.options.tokenOut);
    },
  );
  withExample(create, 'poolwright pool create production --csr keys/pool.csr --token-out keys/token');

  const list = pool.command('list').description('List the pools');
  actWithApi(list, terminal, {}, async ({ client, output }) => {
    const pools = await listPools(client);
    output.answer(pools, () =>
      output.table(
        ['NAME', 'ID', 'WORKERS', 'BUSY', 'WAITING', 'DESCRIPTION'],
        pools.map((one) => [
          one.name,
          one.id,
          String(one.workersCount),
          String(one.busyWorkers),
          String(one.pendingRuns),
          one.description ?? '',
        ]),
      ),
    );
  });
  withExample(list, 'poolwright pool list');

  const show = pool.command('show').description('Show one pool').argument('<pool>', 'name or id');
  actWithApi(show, terminal, {}, async ({ client, output, args }) => {
    const found = await findPool(client, args[0] ?? '');
    output.answer(found, () => poolLines(output, found));
  });
  withExample(show, 'poolwright pool show production');

  const update = pool.command('update').description('Change what is named; the rest stays');
  update.argument('<pool>', 'name or id').option('--name <name>', 'new name');
  settingsOptions(update);
  actWithApi(update, terminal, { ...settingsShape, name: z.string().optional() }, async (call) => {
    const found = await findPool(call.client, call.args[0] ?? '');
    const said = settingsOf(call.options);
    // The API puts what it is not given back to defaults, so everything is given.
    const changed = await updatePool(call.client, {
      id: found.id,
      name: call.options.name ?? found.name,
      description: said.description ?? found.description ?? undefined,
      labels: said.labels ?? found.labels,
      space: said.space ?? found.space,
      driftDetectionRunLimit: said.driftDetectionRunLimit ?? found.driftDetectionRunLimit ?? undefined,
    });
    call.output.answer(changed, () => poolLines(call.output, changed));
  });
  withExample(update, 'poolwright pool update production --label eu --label arm64');

  const reset = pool
    .command('reset')
    .description('New certificate and token; workers on the old ones are cut off');
  reset
    .argument('<pool>', 'name or id')
    .requiredOption('--csr <file>', csrHelp)
    .option('--token-out <file>', tokenHelp);
  actWithApi(reset, terminal, { csr: z.string(), tokenOut: z.string().optional() }, async (call) => {
    const { id } = await findPool(call.client, call.args[0] ?? '');
    const certificateSigningRequest = await readRequest(call.options.csr);
    const made = await resetPool(call.client, { id, certificateSigningRequest });
    await answerWithToken(call.output, made, call.options.tokenOut);
  });
  withExample(reset, 'poolwright pool reset production --csr keys/new.csr --token-out keys/token');

  const cycle = pool.command('cycle').description('Tell every worker to exit after its run');
  cycle.argument('<pool>', 'name or id');
  actWithApi(cycle, terminal, {}, async ({ client, output, args }) => {
    const { id, name } = await findPool(client, args[0] ?? '');
    await cyclePool(client, id);
    output.answer({ id, name, cycled: true }, () => [
      `Every worker of ${name} was told to exit after its run.`,
    ]);
  });
  withExample(cycle, 'poolwright pool cycle production');

  const remove = pool.command('delete').description('Delete a pool that no stack uses');
  remove.argument('<pool>', 'name or id');
  actWithApi(remove, terminal, {}, async ({ client, output, args }) => {
    const { id, name } = await findPool(client, args[0] ?? '');
    await deletePool(client, id);
    output.answer({ id, name, deleted: true }, () => [`The pool ${name} is deleted.`]);
  });
  withExample(remove, 'poolwright pool delete production');
}
