// The options that describe a stack, and the stack file that may stand in for them.
import { readFile } from 'node:fs/promises';
import { Option, type Command } from 'commander';
import { z } from 'zod';
import { faultsError, messageOf } from '../../protocol/errors.js';
import { tools } from '../../protocol/runs.js';
import { commandNames, hookNames, stackInputSchema, type StackInput } from './api/stacks.js';
import { UsageError } from './exit.js';
import { collect } from './invocation.js';

const listNames = [...hookNames, ...commandNames] as const;

function dashed(name: string): string {
  return name.replaceAll(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
}

const lists = z.array(z.string()).optional();

/** What commander makes of the options below. */
export const stackOptionsShape = {
  file: z.string().optional(),
  name: z.string().optional(),
  pool: z.string().optional(),
  tool: z.enum(tools).optional(),
  description: z.string().optional(),
  label: lists,
  space: z.string().optional(),
  repository: z.string().optional(),
  branch: z.string().optional(),
  projectRoot: z.string().optional(),
  runnerImage: z.string().optional(),
  autodeploy: z.boolean().optional(),
  beforeInit: lists,
  afterInit: lists,
  beforePlan: lists,
  afterPlan: lists,
  beforeApply: lists,
  afterApply: lists,
  beforePerform: lists,
  afterPerform: lists,
  planCommand: lists,
  applyCommand: lists,
  destroyCommand: lists,
};
export type StackOptions = z.output<z.ZodObject<typeof stackOptionsShape>>;

export function addStackOptions(command: Command): Command {
  command
    .option('--file <file>', 'stack file (JSON); options beside it win')
    .option('--pool <pool>', 'name or id of the pool that runs it')
    .addOption(new Option('--tool <tool>', 'what the stack is written for').choices(tools))
    .option('--description <text>', 'what the stack is for')
    .option('--label <label>', 'label, may be repeated', collect)
    .option('--space <id>', 'space the stack belongs to')
    .option('--repository <url>', 'Git repository that the workers fetch')
    .option('--branch <branch>', 'branch of the repository')
    .option('--project-root <path>', 'folder of the repository to work in')
    .option('--runner-image <image>', 'container image of its runs')
    .option('--autodeploy', 'apply a plan without a confirmation')
    .option('--no-autodeploy', 'wait for a confirmation before a plan is applied');
  for (const name of listNames) {
    const flag = dashed(name).replace(/-commands$/, '-command');
    const what = name.endsWith('Commands')
      ? `shell command of the ${flag.replace('-command', '')} of tool "commands", may be repeated`
      : `shell command run ${dashed(name).replace('-', ' ')}, may be repeated`;
    command.option(`--${flag} <command>`, what, collect);
  }
  return command;
}

/** Reads a stack file. UsageError when it cannot be read, INVALID_ARGUMENT with all faults when it is wrong. */
export async function readStackFile(file: string): Promise<StackInput> {
  let value: unknown;
  try {
    value = JSON.parse(await readFile(file, 'utf8'));
  } catch (cause) {
    throw new UsageError(`The stack file ${file} cannot be read: ${messageOf(cause)}.`, { cause });
  }
  const parsed = stackInputSchema.safeParse(value);
  if (parsed.success) return parsed.data;
  throw faultsError(
    'INVALID_ARGUMENT',
    `The stack file ${file}`,
    parsed.error.issues.map(({ path, message }) => ({
      path: path.join('.') || 'the whole',
      reason: message,
    })),
  );
}

/** File and options as one input, without what was not said. `pool` is the id of `options.pool`. */
export async function stackInputOf(options: StackOptions, pool: string | undefined): Promise<StackInput> {
  const fromFile = options.file === undefined ? {} : await readStackFile(options.file);
  const { label, planCommand, applyCommand, destroyCommand } = options;
  const fromOptions: StackInput = {
    ...stackInputSchema.partial().strip().parse(options),
    labels: label,
    planCommands: planCommand,
    applyCommands: applyCommand,
    destroyCommands: destroyCommand,
    workerPool: pool,
  };
  const said = Object.entries(fromOptions).filter(([, value]) => value !== undefined);
  return { ...fromFile, ...Object.fromEntries(said) };
}
