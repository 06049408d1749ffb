// A stand-in for a collector of traces: takes OTLP over HTTP as JSON, and keeps what it was sent.
import { createServer, type IncomingHttpHeaders } from 'node:http';
import type { AddressInfo } from 'node:net';
import * as z from 'zod';

const id = (digits: number) => z.string().regex(new RegExp(`^[0-9a-f]{${String(digits)}}$`));
const nanoseconds = z.string().regex(/^\d{19}$/);
const value = z.union([
  z.object({ stringValue: z.string() }).transform(({ stringValue }) => stringValue),
  z.object({ intValue: z.coerce.number() }).transform(({ intValue }) => intValue),
  z.object({ boolValue: z.boolean() }).transform(({ boolValue }) => boolValue),
]);
const attributes = z
  .array(z.object({ key: z.string(), value }))
  .transform((list) => Object.fromEntries(list.map((entry) => [entry.key, entry.value])));

const spanSchema = z.object({
  traceId: id(32),
  spanId: id(16),
  parentSpanId: id(16).optional(),
  name: z.string(),
  kind: z.number().int().min(1).max(5),
  startTimeUnixNano: nanoseconds,
  endTimeUnixNano: nanoseconds,
  attributes,
  links: z.array(z.object({ traceId: id(32), spanId: id(16) })),
  status: z.object({ code: z.number().optional(), message: z.string().optional() }),
});

const requestSchema = z.object({
  resourceSpans: z.array(
    z.object({
      resource: z.object({ attributes }),
      scopeSpans: z.array(z.object({ scope: z.object({ name: z.string() }), spans: z.array(spanSchema) })),
    }),
  ),
});

export type CollectedSpan = z.infer<typeof spanSchema> & {
  readonly resource: Readonly<Record<string, string | number | boolean>>;
};

export interface Collector {
  /** For OTEL_EXPORTER_OTLP_ENDPOINT. */
  readonly url: string;
  readonly spans: CollectedSpan[];
  /** Of each request, in order. */
  readonly requests: { readonly headers: IncomingHttpHeaders; readonly path: string }[];
  /** What it answers with; `silent`: nothing at all. */
  answer: number | 'silent';
  close(): Promise<void>;
}

export async function startCollector(): Promise<Collector> {
  const server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      collector.requests.push({ headers: request.headers, path: request.url ?? '' });
      if (collector.answer === 'silent') return;
      response.writeHead(collector.answer, { 'content-type': 'application/json' });
      if (collector.answer === 200) {
        const body = requestSchema.parse(JSON.parse(Buffer.concat(chunks).toString()));
        for (const { resource, scopeSpans } of body.resourceSpans)
          for (const { spans } of scopeSpans)
            collector.spans.push(...spans.map((span) => ({ ...span, resource: resource.attributes })));
      }
      response.end('{}');
    });
  });
  await new Promise<void>((resolve) => {
    server.listen(0, '127.0.0.1', resolve);
  });
  const collector: Collector = {
    url: `http://127.0.0.1:${String((server.address() as AddressInfo).port)}`,
    spans: [],
    requests: [],
    answer: 200,
    close: () =>
      new Promise((resolve) => {
        server.close(() => {
          resolve();
        });
        server.closeAllConnections();
      }),
  };
  return collector;
}
