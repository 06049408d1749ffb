// Request bodies with a bound, as a whole or as a stream.
import type { HttpBindings } from '@hono/node-server';
import type { Context } from 'hono';
import { PoolwrightError } from '../../protocol/errors.js';

export interface ServerEnvironment {
  Bindings: HttpBindings;
}

/** What is asked of a request here; so routes with variables of their own fit too. */
interface WithBody {
  readonly req: Pick<Context['req'], 'header'>;
  readonly env: HttpBindings;
}

/** Throws TOO_LARGE, as soon as that is known. */
export async function readBody(c: WithBody, maximum: number): Promise<Buffer> {
  const parts: Uint8Array[] = [];
  let size = 0;
  for await (const part of streamBody(c, maximum)) {
    parts.push(part);
    size += part.byteLength;
    if (size > maximum) throw tooLarge(maximum);
  }
  return Buffer.concat(parts, size);
}

/**
 * The body as it comes, straight from the socket and with its back-pressure. Throws TOO_LARGE when the announced
 * length is beyond `maximum`; whoever reads counts what was not announced.
 */
export function streamBody(c: WithBody, maximum: number): AsyncIterable<Uint8Array> {
  const announced = Number(c.req.header('content-length') ?? 0);
  if (announced > maximum) throw tooLarge(maximum);
  return c.env.incoming;
}

function tooLarge(maximum: number): PoolwrightError {
  return new PoolwrightError(
    'TOO_LARGE',
    `The body is too large: expected at most ${String(maximum)} bytes.`,
  );
}
