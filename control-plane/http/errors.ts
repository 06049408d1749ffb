// Errors as HTTP answers: a status by code, and a body that says the same as the error.
import type { Context } from 'hono';
import type { ContentfulStatusCode } from 'hono/utils/http-status';
import type { Logger } from 'pino';
import { PoolwrightError, type ErrorCode } from '../../protocol/errors.js';
import { exhausted } from '../store/exhausted.js';
import { faultOfInput } from '../store/refused.js';
import { workerApiStatus } from '../../protocol/worker-api.js';

const statuses: Partial<Record<ErrorCode, ContentfulStatusCode>> = {
  ...workerApiStatus,
  INVALID_ARGUMENT: 400,
  INVALID_CSR: 400,
  RATE_LIMITED: 429,
};

/** The status for a code; 500 for what is nobody's fault but ours. */
export function statusOf(code: ErrorCode): ContentfulStatusCode {
  return statuses[code] ?? 500;
}

/** Answers with `{ code, message }`. What is not meant for people is logged and answered as INTERNAL. */
export function answerError(c: Context, thrown: unknown, log: Logger): Response {
  const error = faultOfInput(thrown) ?? thrown;
  if (error instanceof PoolwrightError) {
    if (error.code === 'RATE_LIMITED') c.header('Retry-After', '1');
    return c.json({ code: error.code, message: error.message }, statusOf(error.code));
  }
  log.error({ err: error, method: c.req.method, path: c.req.path }, 'a request failed');
  const missing = exhausted(error);
  if (missing !== undefined)
    return c.json({ code: missing.code, message: missing.message }, statusOf(missing.code));
  return c.json(
    { code: 'INTERNAL', message: 'The control plane could not answer; its log says why. Try again.' },
    500,
  );
}
