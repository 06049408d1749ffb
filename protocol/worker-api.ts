// The HTTPS side: paths, log records and answers. All calls carry the bulk token of the assignment, or of the offered release, as bearer.
import * as z from 'zod';
import type { ErrorCode } from './errors.js';
import { limits } from './limits.js';
import { outputNameSchema } from './messages.js';
import { workStateSchema } from './runs.js';
import { ulidSchema } from './topics.js';

/** Path of MQTT over WebSocket below the API's address. */
export const webSocketPath = '/worker/v1/mqtt';

/** Paths below the assignment's `bulk.endpoint`. */
export const workerApi = {
  /** POST, empty body → 204. The worker takes the run. 409 STALE_ATTEMPT when it came too late. */
  accept: (run: string, attempt: number) => `/worker/v1/runs/${run}/attempts/${String(attempt)}/accept`,
  /** POST rejection → 204. The worker cannot take it; the run goes back to the queue. */
  reject: (run: string, attempt: number) => `/worker/v1/runs/${run}/attempts/${String(attempt)}/reject`,
  /** POST, empty body → 204. Asked once before the first command: after it the run is never given to another worker. */
  begin: (run: string, attempt: number) => `/worker/v1/runs/${run}/attempts/${String(attempt)}/begin`,
  /**
   * POST, empty body → 204. What executes the run is there, whoever speaks for its worker. Said every `rhythm.podSign` by
   * run pods. 409 STALE_ATTEMPT when it must end.
   */
  alive: (run: string, attempt: number) => `/worker/v1/runs/${run}/attempts/${String(attempt)}/alive`,
  /** POST newline-delimited records → spoolAnswer. */
  spool: (run: string, attempt: number) => `/worker/v1/runs/${run}/attempts/${String(attempt)}/spool`,
  /** PUT the sealed workspace (application/octet-stream) → { object }. */
  workspace: (run: string, attempt: number) => `/worker/v1/runs/${run}/attempts/${String(attempt)}/workspace`,
  /** PUT outputs (application/json) → 204. All that the stack has now: they take the place of those before. */
  outputs: (run: string, attempt: number) => `/worker/v1/runs/${run}/attempts/${String(attempt)}/outputs`,
  /** GET → sealed bytes. Only objects that the assignment names. */
  object: (run: string, attempt: number, object: string) =>
    `/worker/v1/runs/${run}/attempts/${String(attempt)}/objects/${object}`,
} as const;

/** GET, with `Range: bytes=N-` for what comes after the first N → the bundle of the offered release. */
export const launcherPath = (sha256: string) => `/worker/v1/launchers/${sha256}`;

export const rejectionSchema = z.object({ code: z.string().max(64), message: z.string().max(4096) });

/** A value in clear; sealed for the pool (base64, context `output/<stack>/<name>`); or one that stays on the worker. */
export const outputSchema = z.object({
  name: outputNameSchema,
  value: z.discriminatedUnion('kind', [
    z.object({ kind: z.literal('plain'), text: z.string().max(limits.outputText) }),
    z.object({ kind: z.literal('sealed'), data: z.string().max(2 * limits.outputText) }),
    z.object({ kind: z.literal('withheld') }),
  ]),
});
export type Output = z.infer<typeof outputSchema>;

export const outputsSchema = z.object({ outputs: z.array(outputSchema).max(limits.outputs) });

/** Numbers start at 1 in each attempt and have no gaps. `t` is Unix time in milliseconds by the worker's corrected clock. */
const record = { n: z.int().min(1), t: z.int().min(0) };

export const logRecordSchema = z.object({
  ...record,
  k: z.literal('log'),
  s: workStateSchema,
  m: z.string().max(limits.logRecordText),
});

/** The worker has entered a state. */
export const stateRecordSchema = z.object({ ...record, k: z.literal('state'), s: workStateSchema });

/** What a plan would change; null for what the tool does not tell. */
export const changesSchema = z.object({
  add: z.int().min(0).nullable(),
  change: z.int().min(0).nullable(),
  destroy: z.int().min(0).nullable(),
  /** False only when the tool said that there is nothing to do. */
  any: z.boolean(),
});
export type Changes = z.infer<typeof changesSchema>;

/** The last record of an attempt. */
export const resultRecordSchema = z.object({
  ...record,
  k: z.literal('result'),
  outcome: z.enum(['finished', 'failed', 'stopped']),
  /** For `failed` and `stopped`: an error code and what happened, for people. */
  code: z.string().max(64).nullable(),
  message: z.string().max(8192).nullable(),
  changes: changesSchema.nullable(),
  /** The sealed workspace kept for the next stage. */
  workspace: ulidSchema.nullable(),
  /** The commit that was run, when the source is Git. */
  commit: z.string().max(64).nullable(),
});
export type ResultRecord = z.infer<typeof resultRecordSchema>;

export const spoolRecordSchema = z.discriminatedUnion('k', [
  logRecordSchema,
  stateRecordSchema,
  resultRecordSchema,
]);
export type SpoolRecord = z.infer<typeof spoolRecordSchema>;
export type LogRecord = z.infer<typeof logRecordSchema>;

/** Answer to a spool request: everything up to and including this number is durable and will not be asked again. */
export const spoolAnswerSchema = z.object({ acknowledged: z.int().min(0) });

export const workspaceAnswerSchema = z.object({ object: ulidSchema });

/** The status of an answer that is not a success, by the code in its body. */
export const workerApiStatus = {
  INVALID_MESSAGE: 400,
  UNAUTHORIZED: 401,
  FORBIDDEN: 403,
  NOT_FOUND: 404,
  CONFLICT: 409,
  STALE_ATTEMPT: 409,
  OUT_OF_SEQUENCE: 409,
  TOO_LARGE: 413,
  INTERNAL: 500,
  UNAVAILABLE: 503,
} as const satisfies Partial<Record<ErrorCode, number>>;

/** Body of every answer that is not a success. */
export const workerApiErrorSchema = z.object({ code: z.string(), message: z.string() });
