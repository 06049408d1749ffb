// POST /graphql: the public API over HTTP.
import { readFileSync } from 'node:fs';
import { createHandler } from 'graphql-http/lib/use/fetch';
import { getOperationAST, type OperationDefinitionNode } from 'graphql';
import { Hono, type Context as HttpContext } from 'hono';
import { PoolwrightError } from '../../protocol/errors.js';
import { identityOf } from '../access/api-keys.js';
import { acting, actorOf } from '../access/audit.js';
import type { RateLimits } from '../access/rate-limits.js';
import { rightsOf, type Rights } from '../access/rights.js';
import type { Context } from '../context.js';
import { readBody, type ServerEnvironment } from '../http/body.js';
import { statusOf } from '../http/errors.js';
import { checkRequest, parseDocument } from './document.js';
import { presentError } from './errors.js';
import { executableSchema } from './executable-schema.js';
import type { ApiDependencies, ApiRequest } from './request.js';
import { accessResolvers } from './resolvers/access.js';
import { outputResolvers } from './resolvers/outputs.js';
import { poolResolvers } from './resolvers/pools.js';
import { runResolvers } from './resolvers/runs.js';
import { scheduleResolvers } from './resolvers/schedules.js';
import { sessionResolvers } from './resolvers/session.js';
import { stackResolvers } from './resolvers/stacks.js';
import { webhookResolvers } from './resolvers/webhooks.js';
import { validationRules } from './validation.js';

/** Bytes of a request, variables included: a certificate request or the hooks of a stack are well below. */
const largestRequest = 1024 * 1024;

const schemaText = readFileSync(new URL('schema.graphql', import.meta.url), 'utf8');

export interface GraphqlDependencies extends ApiDependencies {
  readonly limits: RateLimits;
  /** Where a request came from, for limits and the audit log. */
  readonly addressOf: (c: Pick<HttpContext<ServerEnvironment>, 'req' | 'env'>) => string;
}

export function graphqlRoutes(dependencies: GraphqlDependencies): Hono<ServerEnvironment> {
  const { context, limits, addressOf } = dependencies;
  const asked = new WeakMap<Request, ApiRequest>();
  const resolvers = [
    sessionResolvers,
    accessResolvers,
    poolResolvers,
    stackResolvers,
    outputResolvers,
    runResolvers,
    webhookResolvers,
    scheduleResolvers,
  ];
  const handle = createHandler<ApiRequest & Record<PropertyKey, unknown>>({
    schema: executableSchema(schemaText, resolvers),
    context: ({ raw }) => ({ ...(asked.get(raw) ?? { ...dependencies, rights: undefined }) }),
    parse: parseDocument,
    validationRules: (_request, args) => validationRules(args.variableValues ?? {}),
    formatError: (error) => {
      const shown = presentError(error, context.log);
      tellCode(context, shown.extensions['code']);
      return shown;
    },
    onOperation: (_request, { document, operationName }) => {
      tellOperation(context, getOperationAST(document, operationName));
    },
  });
  const app = new Hono<ServerEnvironment>();
  // Clients put a slash at the end of the endpoint or not.
  app.on('POST', ['/graphql', '/graphql/'], async (c) => {
    const address = addressOf(c);
    const rights = await identify(dependencies, c.req.raw);
    let body: Buffer;
    try {
      if (rights === undefined) limits.address(address);
      else limits.key(rights.identity.id);
      body = await readBody(c, largestRequest);
      checkRequest(c.req.header('content-type'), body);
    } catch (error) {
      if (!(error instanceof PoolwrightError)) throw error;
      const { code, message } = error;
      tellCode(context, code);
      const again = code === 'RATE_LIMITED' ? { 'retry-after': '1' } : {};
      return c.json({ errors: [{ message, extensions: { code } }] }, statusOf(code), again);
    }
    const { method, headers } = c.req.raw;
    const request = new Request(c.req.url, { method, headers, body: new Uint8Array(body) });
    asked.set(request, {
      ...dependencies,
      rights,
      context: rights === undefined ? context : acting(context, actorOf(rights.identity, address)),
    });
    return handle(request);
  });
  app.all('/graphql', (c) => {
    const message = 'The API is asked by POST.';
    return c.json({ errors: [{ message, extensions: { code: 'INVALID_ARGUMENT' } }] }, 405, {
      allow: 'POST',
    });
  });
  return app;
}

/** Characters of an operation's name that are told: clients choose it. */
const longestName = 100;

/** The request's span is called after the operation. Its document and variables stay out: they may hold secrets. */
function tellOperation(
  { traces }: Pick<Context, 'traces'>,
  operation: OperationDefinitionNode | null | undefined,
): void {
  if (!traces.on || operation == null) return;
  const name = operation.name?.value.slice(0, longestName);
  const span = traces.current();
  span.rename(name === undefined ? operation.operation : `${operation.operation} ${name}`);
  span.set({ 'graphql.operation.type': operation.operation, 'graphql.operation.name': name });
}

function tellCode({ traces }: Pick<Context, 'traces'>, code: unknown): void {
  if (typeof code !== 'string') return;
  if (code === 'INTERNAL' || code === 'UNAVAILABLE') traces.current().fail(code);
  else traces.current().set({ 'error.type': code });
}

/** A credential that is not valid counts as none; the first field that needs one answers `unauthorized`. */
async function identify({ context, tokens }: ApiDependencies, request: Request): Promise<Rights | undefined> {
  const token = /^Bearer (.+)$/i.exec(request.headers.get('authorization') ?? '')?.[1];
  if (token === undefined) return undefined;
  try {
    return await rightsOf(context, await identityOf(context, await tokens.checkUser('api', token)));
  } catch (error) {
    if (error instanceof Error && error.message === 'unauthorized') return undefined;
    throw error;
  }
}
