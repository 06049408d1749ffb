// What a resolver gets besides its arguments: the rules' context in the name of whoever asks, and their rights.
import { unauthorized, type Identity } from '../access/api-keys.js';
import type { Right, Rights } from '../access/rights.js';
import * as things from '../access/things.js';
import type { Tokens } from '../access/tokens.js';
import type { Vault } from '../access/vault.js';
import type { Context } from '../context.js';
import type { LogStore } from '../store/logs.js';

export interface ApiDependencies {
  readonly context: Context;
  readonly tokens: Tokens;
  readonly vault: Vault;
  readonly logs: LogStore;
  /** Without a slash at its end. */
  readonly publicUrl: () => string;
}

export interface ApiRequest extends ApiDependencies {
  /** Undefined when there is no valid credential. */
  readonly rights: Rights | undefined;
}

/** Throws UNAUTHORIZED without a valid credential. */
export function rightsOf({ rights }: ApiRequest): Rights {
  if (rights === undefined) throw unauthorized();
  return rights;
}

/** Throws UNAUTHORIZED. */
export function identityOf(request: ApiRequest): Identity {
  return rightsOf(request).identity;
}

/** For what is of no space in particular. Throws UNAUTHORIZED, FORBIDDEN. */
export function administrator(request: ApiRequest): Identity {
  const rights = rightsOf(request);
  rights.assert('administer');
  return rights.identity;
}

/** The things of access/things.ts for whoever asks; each also throws UNAUTHORIZED. */
export const visibleStack = (request: ApiRequest, id: string) =>
  things.visibleStack(request.context, rightsOf(request), id);
export const visiblePool = (request: ApiRequest, id: string) =>
  things.visiblePool(request.context, rightsOf(request), id);
export const stackFor = (request: ApiRequest, id: string, right: Right) =>
  things.stackFor(request.context, rightsOf(request), id, right);
export const poolFor = (request: ApiRequest, id: string, right: Right) =>
  things.poolFor(request.context, rightsOf(request), id, right);

/** Unix seconds of Unix milliseconds. */
export function seconds(milliseconds: number): number {
  return Math.floor(milliseconds / 1000);
}

export function secondsOrNull(milliseconds: number | null): number | null {
  return milliseconds === null ? null : seconds(milliseconds);
}
