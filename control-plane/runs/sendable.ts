// Whether what somebody asks of a run can be said to a worker: refused where it is asked, not by worker after worker.
import * as z from 'zod';
import { faultsError } from '../../protocol/errors.js';
import { assignmentSchema, commitSchema } from '../../protocol/messages.js';
import type { RunRequest } from './create.js';

const { task, runnerImage, projectRoot, environment } = assignmentSchema.shape;
const sendableSchema = z.object({
  commitSha: commitSchema.nullable(),
  task,
  runnerImage,
  projectRoot,
  environment,
});

/** Throws INVALID_ARGUMENT that names what is wrong, without its value. */
export function assertSendable(request: RunRequest): void {
  const config = request.runtimeConfig ?? {};
  const { error } = sendableSchema.safeParse({
    commitSha: request.commitSha ?? null,
    task: request.task ?? null,
    runnerImage: config.runnerImage ?? null,
    projectRoot: config.projectRoot ?? null,
    environment: (config.environment ?? []).map(({ name, value }) => ({
      name,
      value: { kind: 'plain', text: value },
    })),
  });
  if (error === undefined) return;
  const faults = error.issues
    .slice(0, 10)
    .map(({ path, message }) => ({ path: path.map(String).join('.'), reason: message }));
  throw faultsError('INVALID_ARGUMENT', 'The run that was asked for', faults);
}
