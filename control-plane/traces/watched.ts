// An exporter whose failures are told once, and so is their end. Nothing of it reaches the work that is traced.
import type { SpanExporter } from '@opentelemetry/sdk-trace-base';
import type { Logger } from 'pino';

export interface WatchedExporter extends SpanExporter {
  /** Waits no longer for what is under way: it counts as lost. */
  giveUp(): void;
}

type Result = Parameters<Parameters<SpanExporter['export']>[1]>[0];

/** ExportResultCode.SUCCESS of @opentelemetry/core, which is not among the packages that this one asks for. */
const success: number = 0;
const taken = { code: success } as unknown as Result;

/** `place`: where to, without a secret. `clean`: takes secrets out of a text. */
export function watched(
  exporter: SpanExporter,
  {
    log,
    place,
    clean,
  }: { readonly log: Logger; readonly place: string; readonly clean: (text: string) => string },
): WatchedExporter {
  /** Spans that were lost since sending began to fail; undefined while it works. */
  let lost: number | undefined;
  const underWay = new Set<() => void>();

  function failed(count: number, error: unknown): void {
    if (lost === undefined) {
      const reason = clean(reasonOf(error));
      log.warn(
        { place, reason },
        'traces cannot be sent; what is not sent is dropped, nothing else waits for it',
      );
    }
    lost = (lost ?? 0) + count;
  }

  function succeeded(): void {
    if (lost === undefined) return;
    log.info({ place, lost }, 'traces are sent again');
    lost = undefined;
  }

  return {
    export(spans, done) {
      const settle = () => {
        // Whoever sends in batches would only log it again.
        if (underWay.delete(settle)) done(taken);
      };
      underWay.add(settle);
      exporter.export(spans, ({ code, error }) => {
        if ((code as number) === success) succeeded();
        else failed(spans.length, error);
        settle();
      });
    },
    forceFlush: () => exporter.forceFlush?.() ?? Promise.resolve(),
    shutdown: () => exporter.shutdown(),
    giveUp() {
      for (const settle of [...underWay]) settle();
    },
  };
}

/** Never the body of an answer: nobody knows what is in it. A refused connection has a code and no message. */
function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return 'the collector did not take them';
  const code = 'code' in error ? String(error.code) : '';
  return [code, error.message].filter((part) => part !== '').join(' ');
}
