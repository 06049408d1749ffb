// POST /graphql: the public API over HTTP.
import { readFileSync } from 'node:fs';
import { parse } from 'graphql';
import { createHandler } from 'graphql-http/lib/use/fetch';
import { Hono } from 'hono';
import { identityOf, type Identity } from '../access/api-keys.js';
import { readBody, type ServerEnvironment } from '../http/body.js';
import { presentError } from './errors.js';
import { executableSchema } from './executable-schema.js';
import type { ApiDependencies, ApiRequest } from './request.js';
import { poolResolvers } from './resolvers/pools.js';
import { runResolvers } from './resolvers/runs.js';
import { sessionResolvers } from './resolvers/session.js';
import { stackResolvers } from './resolvers/stacks.js';
import { validationRules } from './validation.js';

/** Bytes of a request, variables included: a certificate request or the hooks of a stack are well below. */
const largestRequest = 1024 * 1024;
/** Tokens of a document. */
const mostTokens = 5000;

const schemaText = readFileSync(new URL('schema.graphql', import.meta.url), 'utf8');

export function graphqlRoutes(dependencies: ApiDependencies): Hono<ServerEnvironment> {
  const { context } = dependencies;
  const handle = createHandler<ApiRequest & Record<PropertyKey, unknown>>({
    schema: executableSchema(schemaText, [sessionResolvers, poolResolvers, stackResolvers, runResolvers]),
    context: async ({ raw }) => ({ ...dependencies, identity: await identify(dependencies, raw) }),
    parse: (source, options) => parse(source, { ...options, maxTokens: mostTokens }),
    validationRules: (_request, args) => validationRules(args.variableValues ?? {}),
    formatError: (error) => presentError(error, context.log),
  });
  const app = new Hono<ServerEnvironment>();
  // Clients put a slash at the end of the endpoint or not.
  app.on('POST', ['/graphql', '/graphql/'], async (c) => {
    const body = await readBody(c, largestRequest);
    const { method, headers } = c.req.raw;
    return handle(new Request(c.req.url, { method, headers, body: new Uint8Array(body) }));
  });
  return app;
}

/** A credential that is not valid counts as none; the first field that needs one answers `unauthorized`. */
async function identify(
  { context, tokens }: ApiDependencies,
  request: Request,
): Promise<Identity | undefined> {
  const token = /^Bearer (.+)$/i.exec(request.headers.get('authorization') ?? '')?.[1];
  if (token === undefined) return undefined;
  try {
    return await identityOf(context, await tokens.checkUser('api', token));
  } catch (error) {
    if (error instanceof Error && error.message === 'unauthorized') return undefined;
    throw error;
  }
}
