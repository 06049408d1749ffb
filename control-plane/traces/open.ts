// Sends traces to a collector, by OTLP over HTTP. The packages of OpenTelemetry are loaded here, and only for this.
import { setTimeout as sleep } from 'node:timers/promises';
import type { DiagLogger } from '@opentelemetry/api';
import type * as Sdk from '@opentelemetry/sdk-trace-base';
import type { Logger } from 'pino';
import { messageOf } from '../../protocol/errors.js';
import { packageVersion } from '../cli/package-file.js';
import { library } from '../library.js';
import { chosenIds, recordTraces } from './recorder.js';
import type { TraceSettings } from './settings.js';
import type { Traces } from './traces.js';
import { watched } from './watched.js';

export interface OpenTraces {
  readonly traces: Traces;
  /** Sends what is left, for `lastWords` at most. Never throws. */
  close(): Promise<void>;
}

/** How long a close waits for the collector, in milliseconds. */
export const lastWords = 2000;

/**
 * `instance`: tells this process from others of the same service. Throws ARTEFACT_MISSING when a package of OpenTelemetry
 * is not installed. Whether there is a collector is not looked at: it may come and go.
 */
export async function openTraces(
  settings: TraceSettings,
  { log, instance }: { readonly log: Logger; readonly instance: string },
): Promise<OpenTraces> {
  const needs = 'Sending traces (OTEL_EXPORTER_OTLP_ENDPOINT)';
  const api = await library('@opentelemetry/api', needs, () => import('@opentelemetry/api'));
  const sdk = await library(
    '@opentelemetry/sdk-trace-base',
    needs,
    () => import('@opentelemetry/sdk-trace-base'),
  );
  const resources = await library(
    '@opentelemetry/resources',
    needs,
    () => import('@opentelemetry/resources'),
  );
  const otlp = await library(
    '@opentelemetry/exporter-trace-otlp-http',
    needs,
    () => import('@opentelemetry/exporter-trace-otlp-http'),
  );

  const { url, headers, resource } = settings;
  const clean = withoutSecrets([...Object.values(headers), url]);
  api.diag.setLogger(diagnostics(log, clean), {
    logLevel: api.DiagLogLevel.WARN,
    suppressOverrideMessage: true,
  });
  const exporter = watched(new otlp.OTLPTraceExporter({ url, headers: { ...headers } }), {
    ...{ log, clean },
    place: new URL(url).host,
  });
  const ids = chosenIds(new sdk.RandomIdGenerator());
  const provider = new sdk.BasicTracerProvider({
    idGenerator: ids,
    sampler: samplerOf(sdk, settings),
    spanProcessors: [new sdk.BatchSpanProcessor(exporter)],
    resource: resources.defaultResource().merge(
      resources.resourceFromAttributes({
        'service.version': packageVersion(),
        'service.instance.id': instance,
        ...resource,
      }),
    ),
  });
  log.info({ place: new URL(url).host, sampler: settings.sampler }, 'traces are sent');
  return {
    traces: recordTraces(api, provider.getTracer('poolwright', packageVersion()), ids),
    async close() {
      const done = new AbortController();
      const late = sleep(lastWords, 'late' as const, { signal: done.signal }).catch(() => 'in time' as const);
      const sent = provider.shutdown().then(
        () => 'in time' as const,
        (error: unknown) => {
          log.warn({ reason: clean(messageOf(error)) }, 'the last traces could not be sent');
          return 'in time' as const;
        },
      );
      if ((await Promise.race([sent, late])) === 'late')
        log.warn('the collector did not take the last traces in time; they are lost');
      done.abort();
      exporter.giveUp();
      api.diag.disable();
    },
  };
}

function samplerOf(sdk: typeof Sdk, { sampler, ratio }: TraceSettings): Sdk.Sampler {
  switch (sampler) {
    case 'always_on':
      return new sdk.AlwaysOnSampler();
    case 'always_off':
      return new sdk.AlwaysOffSampler();
    case 'traceidratio':
      return new sdk.TraceIdRatioBasedSampler(ratio);
    case 'parentbased_always_on':
      return new sdk.ParentBasedSampler({ root: new sdk.AlwaysOnSampler() });
    case 'parentbased_always_off':
      return new sdk.ParentBasedSampler({ root: new sdk.AlwaysOffSampler() });
    case 'parentbased_traceidratio':
      return new sdk.ParentBasedSampler({ root: new sdk.TraceIdRatioBasedSampler(ratio) });
  }
}

/** Kinds of messages that are told. */
const mostKinds = 50;

/** What the packages have to say, each kind of message once: most of it comes again with every batch. */
function diagnostics(log: Logger, clean: (text: string) => string): DiagLogger {
  const said = new Set<string>();
  // Only the message: what comes with it may be headers, spans or the answer of the collector.
  const say = (text: string) => {
    const kind = text.replace(/\d+/g, '…');
    if (said.has(kind) || said.size >= mostKinds) return;
    said.add(kind);
    log.warn({ reason: clean(text.slice(0, 500)) }, 'OpenTelemetry has something to say; it is said once');
  };
  const nothing = () => undefined;
  return { error: say, warn: say, info: nothing, debug: nothing, verbose: nothing };
}

function withoutSecrets(secrets: readonly string[]): (text: string) => string {
  return (text) =>
    secrets
      .filter((secret) => secret !== '')
      .reduce((cleaned, secret) => cleaned.replaceAll(secret, '***'), text);
}
