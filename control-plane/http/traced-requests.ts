// A span for each request. Its name is the route's pattern: what stands in an address may be an id, or a secret.
import type { MiddlewareHandler } from 'hono';
import { matchedRoutes } from 'hono/route';
import { PoolwrightError } from '../../protocol/errors.js';
import { remoteSpan } from '../traces/remote.js';
import type { Traces } from '../traces/traces.js';
import type { ServerEnvironment } from './body.js';

/** Asked again and again by what watches the process or shows the pages, and telling of nothing. */
const untold = /^\/(healthz|readyz|metrics|live|assets\/.*)$/;

/** To be used before all others. A `traceparent` of the client makes it a part of the client's trace. */
export function tracedRequests(traces: Traces): MiddlewareHandler<ServerEnvironment> {
  return async (c, next) => {
    if (untold.test(c.req.path)) return next();
    const { method } = c.req;
    // What is for every path tells nothing, and is all there is for a path that is not there.
    const route = matchedRoutes(c).findLast(({ path }) => !/^\/?\*$/.test(path))?.path;
    const start = {
      name: route === undefined ? method : `${method} ${route}`,
      kind: 'server' as const,
      attributes: { 'http.request.method': method, 'http.route': route },
      parent: remoteSpan(c.req.header('traceparent'), c.req.header('tracestate')),
    };
    return traces.span(start, async (span) => {
      await next();
      const { status } = c.res;
      span.set({ 'http.response.status_code': status });
      const code = c.error instanceof PoolwrightError ? c.error.code : undefined;
      if (status >= 500) span.fail(code ?? 'INTERNAL');
      else if (code !== undefined) span.set({ 'error.type': code });
    });
  };
}
