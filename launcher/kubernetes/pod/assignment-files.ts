// What the controller puts into the Secret of a run, and the containers `init` and `launcher-grpc` read.
import { createPrivateKey, type KeyObject } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import * as z from 'zod';
import { workStateSchema } from '../../../protocol/runs.js';
import { assignmentSchema, type Assignment } from '../../../protocol/messages.js';

/** Keys of the Secret; files below `places.assignment`. */
export const assignmentFiles = {
  assignment: 'assignment.json',
  /** PEM. Kept with the assignment, so that a rotation of the pool's key does not reach a run that was sealed before. */
  privateKey: 'private-key.pem',
  run: 'run.json',
} as const;

/** Key of the Secret that no container sees: the pool's token, for a controller that comes when the pool's own is gone. */
const tokenKey = 'token';

const runSchema = z.object({
  /** PEM: trusted besides the system's. */
  authorities: z.array(z.string()),
  defaultImage: z.string(),
  customBinariesPath: z.string(),
  /** Milliseconds between the first signal and the last for a step that is ended. */
  grace: z.number(),
  /** Of the worker, as it has registered. Secrets of earlier versions have none. */
  metadata: z.record(z.string(), z.string()).default({}),
  /** Name and version of worker and controller, for the log. */
  greeting: z.string(),
});
export type RunFile = z.output<typeof runSchema>;

export interface RunSecret extends RunFile {
  readonly assignment: Assignment;
  readonly privateKey: KeyObject;
  /** As the pool's Secret had it. */
  readonly token?: string;
}

/** As the data of a Secret, not yet base64. */
export function writeRunSecret(secret: RunSecret): Readonly<Record<string, string>> {
  const { assignment, privateKey, token, ...run } = secret;
  return {
    ...(token === undefined ? {} : { [tokenKey]: token }),
    [assignmentFiles.assignment]: JSON.stringify(assignment),
    [assignmentFiles.privateKey]: privateKey.export({ type: 'pkcs8', format: 'pem' }).toString(),
    [assignmentFiles.run]: JSON.stringify(run satisfies RunFile),
  };
}

/** Throws when the folder is not the run's: nobody but the controller writes it. */
export async function readRunSecret(folder: string): Promise<RunSecret> {
  const read = (name: string) => readFile(join(folder, name), 'utf8');
  return parseRunSecret({
    [assignmentFiles.assignment]: await read(assignmentFiles.assignment),
    [assignmentFiles.privateKey]: await read(assignmentFiles.privateKey),
    [assignmentFiles.run]: await read(assignmentFiles.run),
  });
}

export function parseRunSecret(data: Readonly<Record<string, string>>): RunSecret {
  const token = data[tokenKey];
  return {
    ...(token === undefined ? {} : { token }),
    ...runSchema.parse(JSON.parse(data[assignmentFiles.run] ?? '')),
    assignment: assignmentSchema.parse(JSON.parse(data[assignmentFiles.assignment] ?? '')),
    privateKey: createPrivateKey(data[assignmentFiles.privateKey] ?? ''),
  };
}

/**
 * The last word of a container, in its termination message: whether the control plane has the result, or nobody has to
 * tell one. Otherwise the controller tells it, from what the cluster knows.
 */
export const lastWordSchema = z.object({
  delivered: z.boolean(),
  outcome: z.enum(['finished', 'failed', 'stopped', 'dropped', 'prepared']),
  /** What the run was doing. */
  state: workStateSchema.optional(),
});
export type LastWord = z.output<typeof lastWordSchema>;
