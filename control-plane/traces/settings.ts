// Whether and where traces are sent: the variables that OpenTelemetry has for every program, as far as they apply here.
import * as z from 'zod';
import { faultsError } from '../../protocol/errors.js';

const samplers = [
  'always_on',
  'always_off',
  'traceidratio',
  'parentbased_always_on',
  'parentbased_always_off',
  'parentbased_traceidratio',
] as const;

export type SamplerName = (typeof samplers)[number];

export interface TraceSettings {
  /** Where spans are posted to. Some services want a secret in it. */
  readonly url: string;
  /** Sent along; their values are secrets. */
  readonly headers: Readonly<Record<string, string>>;
  /** What is known of the process that sends them, `service.name` at least. */
  readonly resource: Readonly<Record<string, string>>;
  readonly sampler: SamplerName;
  /** The part of all traces that the samplers by ratio record, from 0 to 1. */
  readonly ratio: number;
}

export const tracesHelp = `
Traces (docs/traces.md), sent where one of the first three says so:
  OTEL_EXPORTER_OTLP_ENDPOINT
                        collector that takes OTLP over HTTP, such as http://127.0.0.1:4318
  OTEL_EXPORTER_OTLP_TRACES_ENDPOINT
                        the whole address for traces, in its place
  OTEL_TRACES_EXPORTER  otlp: also without an address, to http://localhost:4318; none: nowhere
  OTEL_EXPORTER_OTLP_HEADERS
                        sent along, as in api-key=secret,tenant=7
  OTEL_SERVICE_NAME     what this service is called there (poolwright)
  OTEL_RESOURCE_ATTRIBUTES
                        more about it, as in deployment.environment.name=production
  OTEL_TRACES_SAMPLER   which traces are recorded (parentbased_always_on); for those by ratio,
                        OTEL_TRACES_SAMPLER_ARG says how many, from 0 to 1
  OTEL_SDK_DISABLED     true: no traces, whatever else is set`;

const url = z
  .string()
  .refine((text) => URL.canParse(text) && /^https?:$/.test(new URL(text).protocol), {
    message: 'expected a URL such as http://collector.example.com:4318',
  })
  .optional();

/** As OpenTelemetry reads them: names and values percent-encoded where they have to be. */
const pairs = z
  .string()
  .transform((text, ctx) => {
    const found: Record<string, string> = {};
    for (const pair of text.split(',').filter((part) => part.trim() !== '')) {
      const [, name, value] = /^([^=]+)=(.*)$/s.exec(pair)?.map((part) => decoded(part.trim())) ?? [];
      if (name === undefined || value === undefined) {
        ctx.addIssue({
          code: 'custom',
          message: 'expected pairs such as name=value,other=value, with a comma in a value as %2C',
        });
        return z.NEVER;
      }
      found[name] = value;
    }
    return found;
  })
  .optional();

const headers = pairs.refine(
  (found) => Object.entries(found ?? {}).every(([name, value]) => isHeader(name, value)),
  { message: 'expected names and values that a header of HTTP may have' },
);

const schema = z.object({
  OTEL_TRACES_EXPORTER: z
    .enum(['otlp', 'none'], 'expected otlp or none: traces are sent by OTLP, or not at all')
    .optional(),
  OTEL_EXPORTER_OTLP_ENDPOINT: url,
  OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: url,
  protocol: z
    .literal(
      'http/json',
      'expected http/json, or nothing: traces are sent as JSON over HTTP. A collector takes them at its port for HTTP, mostly 4318',
    )
    .optional(),
  OTEL_EXPORTER_OTLP_HEADERS: headers,
  OTEL_EXPORTER_OTLP_TRACES_HEADERS: headers,
  OTEL_SERVICE_NAME: z.string().optional(),
  OTEL_RESOURCE_ATTRIBUTES: pairs,
  OTEL_TRACES_SAMPLER: z.enum(samplers, `expected one of ${samplers.join(', ')}`).optional(),
  ratio: z.coerce
    .number('expected a number from 0 to 1')
    .min(0, 'expected a number from 0 to 1')
    .max(1, 'expected a number from 0 to 1')
    .optional(),
});

/**
 * Undefined when no traces are wanted. An empty variable counts as not set. Throws INVALID_SETTINGS with all faults; never
 * with a value, which may hold a secret.
 */
export function traceSettings(
  environment: Readonly<Record<string, string | undefined>>,
): TraceSettings | undefined {
  const set: Record<string, string> = {};
  for (const [name, value = ''] of Object.entries(environment)) {
    if (name.startsWith('OTEL_') && value.trim() !== '') set[name] = value.trim();
  }
  if (set['OTEL_SDK_DISABLED']?.toLowerCase() === 'true' || set['OTEL_TRACES_EXPORTER'] === 'none')
    return undefined;
  const starting = [
    'OTEL_TRACES_EXPORTER',
    'OTEL_EXPORTER_OTLP_ENDPOINT',
    'OTEL_EXPORTER_OTLP_TRACES_ENDPOINT',
  ];
  if (!starting.some((name) => name in set)) return undefined;

  // Of two protocols the one for traces counts, and the ratio counts for samplers by ratio alone.
  const protocolOf =
    'OTEL_EXPORTER_OTLP_TRACES_PROTOCOL' in set
      ? 'OTEL_EXPORTER_OTLP_TRACES_PROTOCOL'
      : 'OTEL_EXPORTER_OTLP_PROTOCOL';
  const byRatio = set['OTEL_TRACES_SAMPLER']?.endsWith('traceidratio') === true;
  const checked = schema.safeParse({
    ...set,
    protocol: set[protocolOf],
    ratio: byRatio ? set['OTEL_TRACES_SAMPLER_ARG'] : undefined,
  });
  if (!checked.success) {
    const names: Record<string, string> = { protocol: protocolOf, ratio: 'OTEL_TRACES_SAMPLER_ARG' };
    const faults = checked.error.issues.map(({ path, message }) => {
      const name = path.join('.');
      return { path: names[name] ?? name, reason: message };
    });
    throw faultsError('INVALID_SETTINGS', 'The environment', faults);
  }
  const { data } = checked;
  const attributes = data.OTEL_RESOURCE_ATTRIBUTES ?? {};
  return {
    url:
      data.OTEL_EXPORTER_OTLP_TRACES_ENDPOINT ??
      forTraces(data.OTEL_EXPORTER_OTLP_ENDPOINT ?? 'http://localhost:4318'),
    headers: { ...data.OTEL_EXPORTER_OTLP_HEADERS, ...data.OTEL_EXPORTER_OTLP_TRACES_HEADERS },
    resource: {
      ...attributes,
      'service.name': data.OTEL_SERVICE_NAME ?? attributes['service.name'] ?? 'poolwright',
    },
    sampler: data.OTEL_TRACES_SAMPLER ?? 'parentbased_always_on',
    ratio: data.ratio ?? 1,
  };
}

/** The address that a collector has for traces. */
function forTraces(collector: string): string {
  const address = new URL(collector);
  address.pathname = address.pathname.replace(/\/?$/, '/v1/traces');
  return address.href;
}

/** Undefined for what is not well encoded. */
function decoded(text: string): string | undefined {
  try {
    return decodeURIComponent(text);
  } catch {
    return undefined;
  }
}

function isHeader(name: string, value: string): boolean {
  try {
    new Headers([[name, value]]);
    return true;
  } catch {
    return false;
  }
}
