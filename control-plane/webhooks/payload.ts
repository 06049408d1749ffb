// From the bytes of a delivery to what is in it, and to who sent it.
import { createHash, createHmac } from 'node:crypto';
import type * as z from 'zod';
import { faultsError, PoolwrightError } from '../../protocol/errors.js';
import { sameSecret } from '../access/secrets.js';
import type { Delivery } from './told.js';

/** Throws INVALID_ARGUMENT that names what is wrong, without its value. */
export function payloadOf<T>(delivery: Delivery, schema: z.ZodType<T>, what: string): T {
  const { data, error } = schema.safeParse(parse(delivery, what));
  if (error === undefined) return data;
  const faults = error.issues
    .slice(0, 10)
    .map(({ path, message }) => ({ path: path.map(String).join('.') || 'payload', reason: message }));
  throw faultsError('INVALID_ARGUMENT', what, faults);
}

function parse(delivery: Delivery, what: string): unknown {
  const text = delivery.body.toString('utf8');
  const isForm = delivery.header('content-type')?.startsWith('application/x-www-form-urlencoded') === true;
  try {
    const value: unknown = JSON.parse(isForm ? (new URLSearchParams(text).get('payload') ?? '') : text);
    return value;
  } catch {
    throw new PoolwrightError(
      'INVALID_ARGUMENT',
      `${what} is not JSON. Set the webhook's content type to JSON.`,
    );
  }
}

/** Whether a header such as `sha256=3f…` is the HMAC-SHA256 of the body. */
export function isSigned(delivery: Delivery, header: string, secret: string): boolean {
  const given = delivery.header(header) ?? '';
  return sameSecret(
    given.toLowerCase(),
    `sha256=${createHmac('sha256', secret).update(delivery.body).digest('hex')}`,
  );
}

/** An id for what brings none of its own, or none that is signed. */
export function digestOf({ body }: Delivery): string {
  return `sha256:${createHash('sha256').update(body).digest('hex')}`;
}

/** The ids that are there, each once. */
export function given(...ids: readonly (string | undefined)[]): string[] {
  const there = ids.filter((id) => id !== undefined && id !== '').map((id) => String(id).slice(0, 200));
  return [...new Set(there)];
}
