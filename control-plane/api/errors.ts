// Errors as GraphQL clients get them: the message as it is, the code in `extensions.code`.
import { GraphQLError } from 'graphql';
import type { Logger } from 'pino';
import { PoolwrightError, type ErrorCode } from '../../protocol/errors.js';
import { exhausted } from '../store/exhausted.js';
import { faultOfInput } from '../store/refused.js';

/** Errors of rules as they are; faults of the document as INVALID_ARGUMENT; all else is logged and hidden. */
export function presentError(error: unknown, log: Logger): GraphQLError {
  const original = error instanceof GraphQLError ? (error.originalError ?? undefined) : error;
  if (original instanceof PoolwrightError) return graphqlError(error, original.message, original.code);
  if (error instanceof GraphQLError && (original === undefined || original instanceof GraphQLError)) {
    return graphqlError(error, error.message, 'INVALID_ARGUMENT');
  }
  const fault = faultOfInput(original);
  if (fault !== undefined) return graphqlError(error, fault.message, fault.code);
  log.error({ err: original }, 'a query failed');
  const missing = exhausted(original);
  if (missing !== undefined) return graphqlError(error, missing.message, missing.code);
  return graphqlError(error, 'The control plane could not answer; its log says why. Try again.', 'INTERNAL');
}

function graphqlError(error: unknown, message: string, code: ErrorCode): GraphQLError {
  const { nodes, source, positions, path } = error instanceof GraphQLError ? error : {};
  return new GraphQLError(message, {
    nodes: nodes ?? null,
    source: source ?? null,
    positions: positions ?? null,
    path: path ?? null,
    extensions: { code },
  });
}
