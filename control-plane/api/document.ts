// A request and its document, checked before anything is made of them.
import { GraphQLError, Kind, parse, visit, type DocumentNode } from 'graphql';
import * as z from 'zod';
import { PoolwrightError } from '../../protocol/errors.js';

/** Tokens of a document. */
const mostTokens = 5000;
/** Lists, objects, types and selections in one another; introspection and the deepest queries need half of it. */
const deepest = 60;

const requestSchema = z.object({
  query: z.string(),
  variables: z.record(z.string(), z.unknown()).nullish(),
  operationName: z.string().nullish(),
  extensions: z.record(z.string(), z.unknown()).nullish(),
});

/** Throws INVALID_ARGUMENT for a body that is no request of GraphQL over HTTP. */
export function checkRequest(contentType: string | undefined, body: Buffer): void {
  const fault = (reason: string) =>
    new PoolwrightError(
      'INVALID_ARGUMENT',
      `The request is none: ${reason}. Expected a JSON object with "query" (a text) and, where needed, "variables" (an object) and "operationName".`,
    );
  if (!/^application\/json\s*(;|$)/i.test(contentType ?? ''))
    throw fault('its content type is not application/json');
  let value: unknown;
  try {
    value = JSON.parse(body.toString('utf8'));
  } catch {
    throw fault('its body is not JSON');
  }
  const { error } = requestSchema.safeParse(value);
  const [issue] = error?.issues ?? [];
  if (issue !== undefined) throw fault(`${issue.path.map(String).join('.') || 'the body'}: ${issue.message}`);
}

/** As GraphQL's own, with bounds. Throws GraphQLError. */
export function parseDocument(...[source, options]: Parameters<typeof parse>): DocumentNode {
  let document: DocumentNode;
  try {
    document = parse(source, { ...options, maxTokens: mostTokens });
  } catch (error) {
    // It goes into itself for each level, and came to the end of its stack.
    if (error instanceof RangeError) throw tooDeep();
    throw error;
  }
  let depth = 0;
  const level = {
    enter() {
      depth += 1;
      if (depth > deepest) throw tooDeep();
    },
    leave() {
      depth -= 1;
    },
  };
  visit(document, {
    [Kind.SELECTION_SET]: level,
    [Kind.LIST]: level,
    [Kind.OBJECT]: level,
    [Kind.LIST_TYPE]: level,
  });
  return document;
}

function tooDeep(): GraphQLError {
  return new GraphQLError(`The document is nested deeper than ${String(deepest)} levels.`);
}
