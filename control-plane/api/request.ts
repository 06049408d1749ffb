// What a resolver gets besides its arguments: the rules' context and who asks.
import { PoolwrightError } from '../../protocol/errors.js';
import { unauthorized, type Identity } from '../access/api-keys.js';
import type { Tokens } from '../access/tokens.js';
import type { Context } from '../context.js';
import type { LogStore } from '../store/logs.js';

export interface ApiDependencies {
  readonly context: Context;
  readonly tokens: Tokens;
  readonly logs: LogStore;
  /** Without a slash at its end. */
  readonly publicUrl: () => string;
}

export interface ApiRequest extends ApiDependencies {
  /** Undefined when there is no valid credential. */
  readonly identity: Identity | undefined;
}

/** Throws UNAUTHORIZED. */
export function reader({ identity }: ApiRequest): Identity {
  if (identity === undefined) throw unauthorized();
  return identity;
}

/** Throws UNAUTHORIZED, FORBIDDEN. */
export function operator(request: ApiRequest): Identity {
  const identity = reader(request);
  if (identity.role !== 'reader') return identity;
  throw new PoolwrightError(
    'FORBIDDEN',
    `The API key ${identity.name} may read only. Use one that may also change things.`,
  );
}

/** Throws UNAUTHORIZED, FORBIDDEN. */
export function administrator(request: ApiRequest): Identity {
  const identity = operator(request);
  if (identity.role === 'administrator') return identity;
  throw new PoolwrightError(
    'FORBIDDEN',
    `The API key ${identity.name} is not an administrator's, which this needs.`,
  );
}

/** Unix seconds of Unix milliseconds. */
export function seconds(milliseconds: number): number {
  return Math.floor(milliseconds / 1000);
}
