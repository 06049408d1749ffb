// Reads the header `traceparent` of a request: https://www.w3.org/TR/trace-context/.
import type { RemoteSpan } from './traces.js';

const form = /^([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-.*)?$/;

/** Characters of `tracestate` that are passed on; what is longer is dropped, as the specification allows. */
const longestState = 512;

/** Undefined for a header that is not there or not well-formed: the request then begins a trace of its own. */
export function remoteSpan(
  traceparent: string | undefined,
  tracestate: string | undefined,
): RemoteSpan | undefined {
  const [, version, traceId, spanId, flags, more] = form.exec(traceparent?.trim() ?? '') ?? [];
  if (version === undefined || traceId === undefined || spanId === undefined || flags === undefined)
    return undefined;
  // Later versions may have more to say, this one may not; ff is none.
  if (version === 'ff' || (version === '00' && more !== undefined)) return undefined;
  if (/^0+$/.test(traceId) || /^0+$/.test(spanId)) return undefined;
  const sampled = (Number.parseInt(flags, 16) & 1) === 1;
  const state = tracestate !== undefined && tracestate.length <= longestState ? tracestate : undefined;
  return { traceId, spanId, sampled, state };
}
