// poolwright run …: start runs, watch them, decide about them.
import type { Command } from 'commander';
import { Option } from 'commander';
import { z } from 'zod';
import { runTypeSchema } from '../../../protocol/runs.js';
import type { ApiClient } from '../api/client.js';
import { runEvents } from '../api/run-logs.js';
import {
  createTask,
  decideRun,
  getRun,
  listRuns,
  proposeRun,
  runLists,
  stopRun,
  triggerRun,
  type Decision,
  type Run,
} from '../api/runs.js';
import { uploadFolder } from '../api/uploads.js';
import { QuietFailure, UsageError } from '../exit.js';
import { actWithApi, withExample } from '../invocation.js';
import type { Output } from '../output.js';
import { runLines, runOrNewest, runTable } from '../run-text.js';
import { createRunPrinter } from '../run-printer.js';
import type { Terminal } from '../terminal.js';

const exampleRun = '01K3ZB9Q4M7XW2E5T8C1N6R0VD';

/** Shows a run to its end. Throws QuietFailure, after all was said, unless it has FINISHED. */
async function follow(client: ApiClient, output: Output, stack: string, run: string): Promise<void> {
  const printer = createRunPrinter(output, stack, run);
  const events = runEvents(client, stack, run, { follow: true });
  for (;;) {
    const step = await events.next();
    if (step.done !== true) {
      printer.show(step.value);
      continue;
    }
    printer.end(step.value);
    if (step.value.state !== 'FINISHED') throw new QuietFailure(`the run ended as ${step.value.state}`);
    return;
  }
}

const waitOption = [
  '--wait',
  'show the log and end when the run ends; exit code 1 unless it has FINISHED',
] as const;

/** The answer to a command that has started a run: the run, or with `--wait` its log. */
async function answerStarted(
  call: { client: ApiClient; output: Output },
  stack: string,
  run: Run,
  wait: boolean,
) {
  if (wait) {
    call.output.terminal.note(`Run ${run.id} of stack ${stack} is ${run.state}.`);
    await follow(call.client, call.output, stack, run.id);
    return;
  }
  call.output.answer(run, () => [
    ...runLines(call.output, run),
    '',
    `Watch it: poolwright run logs ${stack} ${run.id} --follow`,
  ]);
}

function addStartingCommands(run: Command, terminal: Terminal): void {
  const wait = z.boolean().default(false);

  const trigger = run
    .command('trigger')
    .description('Start a run of a stack')
    .argument('<stack>', 'id of the stack');
  trigger
    .addOption(
      new Option('--type <type>', 'kind of run')
        .choices(['tracked', 'proposed', 'destroy'])
        .default('tracked'),
    )
    .option('--commit <sha>', "commit to run instead of the branch's newest")
    .option('--from <dir>', "run the files of this folder instead of the stack's repository")
    .option(...waitOption);
  const triggerShape = {
    type: z.string().toUpperCase().pipe(runTypeSchema),
    commit: z.string().optional(),
    from: z.string().optional(),
    wait,
  };
  actWithApi(trigger, terminal, triggerShape, async (call) => {
    const [stack = ''] = call.args;
    const { type, commit, from } = call.options;
    if (commit !== undefined && from !== undefined)
      throw new UsageError('Expected one of --commit and --from, got both.');
    const workspace =
      from === undefined ? undefined : (await uploadFolder(call.client, stack, from)).workspace;
    const started = await triggerRun(call.client, { stack, runType: type, commitSha: commit, workspace });
    await answerStarted(call, stack, started, call.options.wait);
  });
  withExample(trigger, 'poolwright run trigger website --wait');

  const propose = run.command('propose').description('Plan the files of a local folder, changing nothing');
  propose
    .argument('<stack>', 'id of the stack')
    .requiredOption('--from <dir>', 'folder to upload')
    .option(...waitOption);
  actWithApi(propose, terminal, { from: z.string(), wait }, async (call) => {
    const [stack = ''] = call.args;
    const { workspace, files } = await uploadFolder(call.client, stack, call.options.from);
    terminal.note(`Uploaded ${String(files)} files of ${call.options.from}.`);
    await answerStarted(call, stack, await proposeRun(call.client, stack, workspace), call.options.wait);
  });
  withExample(propose, 'poolwright run propose website --from . --wait');

  const task = run.command('task').description("Run one shell command in a stack's workspace");
  task
    .argument('<stack>', 'id of the stack')
    .argument('<command>', 'shell command, as one word')
    .option(...waitOption);
  actWithApi(task, terminal, { wait }, async (call) => {
    const [stack = '', command = ''] = call.args;
    await answerStarted(call, stack, await createTask(call.client, stack, command), call.options.wait);
  });
  withExample(task, "poolwright run task website 'tofu state list' --wait");
}

function addReadingCommands(run: Command, terminal: Terminal): void {
  const list = run
    .command('list')
    .description('List the runs of a stack, newest first')
    .argument('<stack>', 'id of the stack');
  list.addOption(
    new Option('--kind <kind>', 'which of its lists').choices(Object.keys(runLists)).default('tracked'),
  );
  list.option('--before <run>', 'only runs older than this one');
  const listShape = { kind: z.enum(['tracked', 'proposed', 'tasks']), before: z.string().optional() };
  actWithApi(list, terminal, listShape, async ({ client, output, args, options }) => {
    const runs = await listRuns(client, args[0] ?? '', options.kind, options.before);
    output.answer(runs, () => runTable(output, runs));
  });
  withExample(list, 'poolwright run list website');

  const show = run.command('show').description('Show one run and its history');
  show.argument('<stack>', 'id of the stack').argument('[run]', 'id of the run (default: the newest)');
  actWithApi(show, terminal, {}, async ({ client, output, args }) => {
    const [stack = '', id] = args;
    const found = await getRun(client, stack, await runOrNewest(client, stack, id));
    output.answer(found, () => runLines(output, found));
  });
  withExample(show, `poolwright run show website ${exampleRun}`);

  const logs = run.command('logs').description('Show the log of a run; with --json one object a line');
  logs.argument('<stack>', 'id of the stack').argument('[run]', 'id of the run (default: the newest)');
  logs.option('-f, --follow', 'go on until the run ends; exit code 1 unless it has FINISHED');
  actWithApi(
    logs,
    terminal,
    { follow: z.boolean().default(false) },
    async ({ client, output, args, options }) => {
      const [stack = '', given] = args;
      const id = await runOrNewest(client, stack, given);
      if (options.follow) {
        await follow(client, output, stack, id);
        return;
      }
      const printer = createRunPrinter(output, stack, id);
      const events = runEvents(client, stack, id, { follow: false });
      let step = await events.next();
      for (; step.done !== true; step = await events.next()) printer.show(step.value);
      printer.end(step.value);
    },
  );
  withExample(logs, 'poolwright run logs website --follow');
}

function addDecidingCommands(run: Command, terminal: Terminal): void {
  const decisions: readonly (readonly [Decision, string])[] = [
    ['confirm', 'Let a run apply its plan'],
    ['discard', 'Drop the plan of a run'],
    ['cancel', 'Take back a run that has not begun'],
  ];
  for (const [decision, description] of decisions) {
    const command = run.command(decision).description(description);
    command.argument('<stack>', 'id of the stack').argument('<run>', 'id of the run');
    actWithApi(command, terminal, {}, async ({ client, output, args }) => {
      const [stack = '', id = ''] = args;
      const changed = await decideRun(client, decision, stack, id);
      output.answer(changed, () => runLines(output, changed));
    });
    withExample(command, `poolwright run ${decision} website ${exampleRun}`);
  }

  const stop = run.command('stop').description('End a run that has begun');
  stop
    .argument('<stack>', 'id of the stack')
    .argument('<run>', 'id of the run')
    .option('--note <text>', 'why');
  actWithApi(stop, terminal, { note: z.string().optional() }, async ({ client, output, args, options }) => {
    const [stack = '', id = ''] = args;
    const changed = await stopRun(client, stack, id, options.note);
    output.answer(changed, () => runLines(output, changed));
  });
  withExample(stop, `poolwright run stop website ${exampleRun} --note 'wrong branch'`);
}

/** Adds the `run` commands. */
export function addRunCommands(program: Command, terminal: Terminal): void {
  const run = program.command('run').description('Runs: start, watch, decide');
  addStartingCommands(run, terminal);
  addReadingCommands(run, terminal);
  addDecidingCommands(run, terminal);
}
