// poolwright stack …: what is run, with which tool, on which pool, and with which variables.
import { readFile } from 'node:fs/promises';
import type { Command } from 'commander';
import { z } from 'zod';
import { messageOf } from '../../../protocol/errors.js';
import { findPool } from '../api/pools.js';
import {
  createStack,
  deleteStack,
  getStack,
  listStacks,
  noSuchStack,
  updateStack,
  type Stack,
} from '../api/stacks.js';
import { deleteVariable, listVariables, setVariable } from '../api/variables.js';
import { UsageError } from '../exit.js';
import { actWithApi, withExample } from '../invocation.js';
import type { Output } from '../output.js';
import { addStackOptions, stackInputOf, stackOptionsShape } from '../stack-options.js';
import type { Terminal } from '../terminal.js';
import { addScheduleCommands } from './schedule.js';
import { addWebhookCommands } from './webhook.js';

function stackLines(output: Output, stack: Stack): string[] {
  const optional: [string, string | null][] = [
    ['description', stack.description],
    ['repository', stack.repository],
    ['branch', stack.branch],
    ['project root', stack.projectRoot],
    ['runner image', stack.runnerImage],
    ['locked by', stack.lockedBy],
  ];
  return output.fields([
    ['name', stack.name],
    ['id', stack.id],
    ['tool', stack.tool],
    ['pool', stack.workerPool?.name ?? '(none: it cannot run)'],
    ['state', stack.state ?? '(no run yet)'],
    ['autodeploy', stack.autodeploy ? 'yes' : 'no'],
    ['labels', stack.labels.join(', ')],
    ...optional.flatMap(([name, value]): [string, string][] => (value === null ? [] : [[name, value]])),
  ]);
}

async function valueOf(options: {
  value?: string | undefined;
  valueFile?: string | undefined;
  secret: boolean;
}) {
  if (options.value !== undefined && options.valueFile !== undefined) {
    throw new UsageError('Expected one of --value and --value-file, got both.');
  }
  if (options.value !== undefined) {
    if (options.secret) {
      throw new UsageError(
        'A secret is not taken from --value, which process lists show: use --value-file FILE, or - for stdin.',
      );
    }
    return options.value;
  }
  if (options.valueFile === undefined)
    throw new UsageError('The value is missing: --value TEXT or --value-file FILE.');
  try {
    if (options.valueFile !== '-') return await readFile(options.valueFile, 'utf8');
    const chunks: Buffer[] = [];
    for await (const chunk of process.stdin) chunks.push(Buffer.from(chunk as Uint8Array));
    return Buffer.concat(chunks).toString('utf8');
  } catch (cause) {
    throw new UsageError(`The value cannot be read from ${options.valueFile}: ${messageOf(cause)}.`, {
      cause,
    });
  }
}

function addConfigCommands(stack: Command, terminal: Terminal): void {
  const config = stack.command('config').description('Environment variables of a stack');

  const list = config.command('list').description('List the variables; secret values are never shown');
  list.argument('<stack>', 'id of the stack');
  actWithApi(list, terminal, {}, async ({ client, output, args }) => {
    const variables = await listVariables(client, args[0] ?? '');
    output.answer(variables, () =>
      output.table(
        ['NAME', 'VALUE'],
        variables.map(({ id, value, writeOnly }) => [id, writeOnly ? '(secret)' : (value ?? '')]),
      ),
    );
  });
  withExample(list, 'poolwright stack config list website');

  const set = config.command('set').description('Set or replace a variable');
  set.argument('<stack>', 'id of the stack').argument('<name>', 'name of the variable');
  set.option('--value <text>', 'value, in clear');
  set.option('--value-file <file>', 'file whose whole content is the value, - for stdin');
  set.option('--secret', "seal the value to the stack's pool; it is never shown again");
  const shape = {
    value: z.string().optional(),
    valueFile: z.string().optional(),
    secret: z.boolean().default(false),
  };
  actWithApi(set, terminal, shape, async ({ client, output, args, options }) => {
    const [stackId = '', name = ''] = args;
    const { secret } = options;
    const variable = await setVariable(client, stackId, { name, value: await valueOf(options), secret });
    output.answer(variable, () => [`${name} is set${secret ? ' and sealed' : ''}.`]);
  });
  withExample(set, 'poolwright stack config set website DB_PASSWORD --secret --value-file password.txt');

  const unset = config.command('unset').description('Remove a variable');
  unset.argument('<stack>', 'id of the stack').argument('<name>', 'name of the variable');
  actWithApi(unset, terminal, {}, async ({ client, output, args }) => {
    const [stackId = '', name = ''] = args;
    await deleteVariable(client, stackId, name);
    output.answer({ id: name, deleted: true }, () => [`${name} is removed.`]);
  });
  withExample(unset, 'poolwright stack config unset website DB_PASSWORD');
}

/** Adds the `stack` commands. */
export function addStackCommands(program: Command, terminal: Terminal): void {
  const stack = program.command('stack').description('Stacks: create, look at, change, end, set variables');

  const create = stack
    .command('create')
    .description('Create a stack')
    .argument('[name]', 'name, unless the file has one');
  create.option('--id <id>', 'id, in lower case with dashes (default: made from the name)');
  actWithApi(
    addStackOptions(create),
    terminal,
    { ...stackOptionsShape, id: z.string().optional() },
    async (call) => {
      const { client, options, output } = call;
      const pool = options.pool === undefined ? undefined : (await findPool(client, options.pool)).id;
      const input = await stackInputOf({ ...options, name: call.args[0] ?? options.name }, pool);
      if (input.name === undefined)
        throw new UsageError('The name is missing: poolwright stack create NAME.');
      const made = await createStack(client, {
        ...input,
        ...(options.id === undefined ? {} : { id: options.id }),
      });
      output.answer(made, () => stackLines(output, made));
    },
  );
  withExample(
    create,
    'poolwright stack create website --pool production --tool opentofu --repository https://git.example.com/website.git',
  );

  const list = stack.command('list').description('List the stacks');
  actWithApi(list, terminal, {}, async ({ client, output }) => {
    const stacks = await listStacks(client);
    output.answer(stacks, () =>
      output.table(
        ['ID', 'TOOL', 'POOL', 'STATE', 'NAME'],
        stacks.map((one) => [one.id, one.tool, one.workerPool?.name ?? '-', one.state ?? '-', one.name]),
      ),
    );
  });
  withExample(list, 'poolwright stack list');

  const show = stack.command('show').description('Show one stack').argument('<stack>', 'id of the stack');
  actWithApi(show, terminal, {}, async ({ client, output, args }) => {
    const found = await getStack(client, args[0] ?? '');
    if (found === undefined) throw noSuchStack(args[0] ?? '');
    output.answer(found, () => stackLines(output, found));
  });
  withExample(show, 'poolwright stack show website');

  const update = stack.command('update').description('Change what is named; the rest stays');
  update.argument('<stack>', 'id of the stack').option('--name <name>', 'new name');
  actWithApi(
    addStackOptions(update),
    terminal,
    stackOptionsShape,
    async ({ client, options, output, args }) => {
      const pool = options.pool === undefined ? undefined : (await findPool(client, options.pool)).id;
      const changed = await updateStack(client, args[0] ?? '', await stackInputOf(options, pool));
      output.answer(changed, () => stackLines(output, changed));
    },
  );
  withExample(update, 'poolwright stack update website --branch main --autodeploy');

  const remove = stack
    .command('delete')
    .description('Delete a stack with its runs and logs; resources that it made stay');
  remove.argument('<stack>', 'id of the stack');
  actWithApi(remove, terminal, {}, async ({ client, output, args }) => {
    const [id = ''] = args;
    await deleteStack(client, id);
    output.answer({ id, deleted: true }, () => [`The stack ${id} is deleted.`]);
  });
  withExample(remove, 'poolwright stack delete website');

  addConfigCommands(stack, terminal);
  addWebhookCommands(stack, terminal);
  addScheduleCommands(stack, terminal);
}
