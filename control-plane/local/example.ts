// The example stack of the local pool: created once, run at every start from the files of this package.
import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { promisify } from 'node:util';
import type { ApiClient } from '../cli/api/client.js';
import { decideRun, getRun, triggerRun, type Run, type RunWithHistory } from '../cli/api/runs.js';
import { runEvents } from '../cli/api/run-logs.js';
import { createStack, getStack, updateStack, type StackInput } from '../cli/api/stacks.js';
import { uploadFolder } from '../cli/api/uploads.js';
import { packageFile } from '../cli/package-file.js';
import { readStackFile } from '../cli/stack-options.js';
import type { Narrator } from './narrator.js';

export const exampleFolder = packageFile('examples', 'stacks', 'hello');

export interface Example {
  readonly id: string;
  readonly input: StackInput;
  /** What its runs start in when they start in containers. */
  readonly image: string;
}

/** The launcher's default image, for an example that names none. */
const defaultImage = 'public.ecr.aws/spacelift/runner-terraform:latest';

/** Reads the example's stack file. */
export async function readExample(): Promise<Example> {
  const input = await readStackFile(join(exampleFolder, 'stack.json'));
  return { id: input.id ?? 'hello', input, image: input.runnerImage ?? defaultImage };
}

/** Creates the example stack, or moves the one that is there to the pool. What a user changed in it stays. */
export async function openExample(client: ApiClient, example: Example, pool: string): Promise<void> {
  const found = await getStack(client, example.id);
  if (found === undefined) {
    await createStack(client, { ...example.input, id: example.id, workerPool: pool });
  } else if (found.workerPool?.id !== pool) {
    await updateStack(client, example.id, { workerPool: pool });
  }
}

/** Uploads the example's files and starts a run of them. */
export async function startExampleRun(client: ApiClient, stack: string): Promise<Run> {
  const { workspace } = await uploadFolder(client, stack, exampleFolder);
  return triggerRun(client, { stack, workspace, runType: 'TRACKED' });
}

/** Tells the run's story to its end and confirms its plan on the way. Returns the run as it ended. */
export async function watchExampleRun(
  client: ApiClient,
  stack: string,
  run: string,
  narrator: Narrator,
  signal: AbortSignal,
): Promise<RunWithHistory> {
  const events = runEvents(client, stack, run, { follow: true, signal });
  let state = 'QUEUED';
  for (;;) {
    const step = await narrator.during(`Still ${state}`, events.next());
    if (step.done === true) return step.value;
    narrator.run(step.value);
    if (step.value.kind === 'log') continue;
    state = step.value.transition.state;
    if (state === 'QUEUED') void tellReason(client, stack, run, narrator, signal);
    if (state === 'UNCONFIRMED') {
      narrator.say('Confirming the plan, since this run is the example.');
      await decideRun(client, 'confirm', stack, run);
    }
  }
}

/** Milliseconds that a run may wait before it is said why: longer than it takes when nothing is in the way. */
const reasonAfter = 2500;

async function tellReason(
  client: ApiClient,
  stack: string,
  run: string,
  narrator: Narrator,
  signal: AbortSignal,
): Promise<void> {
  try {
    await delay(reasonAfter, undefined, { signal });
    const { waitReason } = await getRun(client, stack, run);
    if (waitReason !== null) narrator.say(`Still QUEUED: ${waitReason}.`);
  } catch {
    // Ended meanwhile, or no answer just now: whoever follows the run hears of both.
  }
}

/** Whether the git program answers. Without it stacks with a repository cannot run on this machine. */
export async function hasGit(): Promise<boolean> {
  try {
    await promisify(execFile)('git', ['--version']);
    return true;
  } catch {
    // Not there or not working: both mean that it cannot be used, which is the answer.
    return false;
  }
}
