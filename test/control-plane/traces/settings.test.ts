// Whether and where traces are sent, by the environment; and whose trace a request is a part of.
import { describe, expect, it } from 'vitest';
import { library } from '../../../control-plane/library.js';
import { remoteSpan } from '../../../control-plane/traces/remote.js';
import { traceSettings } from '../../../control-plane/traces/settings.js';

const endpoint = { OTEL_EXPORTER_OTLP_ENDPOINT: 'http://collector.example:4318' };

describe('traces are off', () => {
  it.each([
    ['without a word about them', {}],
    ['when the variables are empty', { OTEL_EXPORTER_OTLP_ENDPOINT: '', OTEL_TRACES_EXPORTER: ' ' }],
    ['when only details are said', { OTEL_SERVICE_NAME: 'x', OTEL_EXPORTER_OTLP_PROTOCOL: 'grpc' }],
    ['when the exporter is none', { ...endpoint, OTEL_TRACES_EXPORTER: 'none' }],
    ['when everything is', { ...endpoint, OTEL_SDK_DISABLED: 'True', OTEL_TRACES_SAMPLER: 'wrong' }],
  ])('%s', (_when, environment) => {
    expect(traceSettings(environment)).toBeUndefined();
  });
});

describe('traces are sent', () => {
  it('to the collector that is named, as the service poolwright', () => {
    expect(traceSettings({ OTEL_EXPORTER_OTLP_ENDPOINT: 'https://collector.example/otlp/' })).toEqual({
      url: 'https://collector.example/otlp/v1/traces',
      headers: {},
      resource: { 'service.name': 'poolwright' },
      sampler: 'parentbased_always_on',
      ratio: 1,
    });
  });

  it('to the usual address when only the exporter is named', () => {
    expect(traceSettings({ OTEL_TRACES_EXPORTER: 'otlp' })?.url).toBe('http://localhost:4318/v1/traces');
  });

  it('to the address for traces as it is, with headers, resource and sampler as they are said', () => {
    expect(
      traceSettings({
        ...endpoint,
        OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: 'http://traces.example/here?key=1',
        OTEL_EXPORTER_OTLP_PROTOCOL: 'grpc',
        OTEL_EXPORTER_OTLP_TRACES_PROTOCOL: 'http/json',
        OTEL_EXPORTER_OTLP_HEADERS: 'authorization=Basic%20dXNlcg==, tenant=1',
        OTEL_EXPORTER_OTLP_TRACES_HEADERS: 'tenant=2',
        OTEL_RESOURCE_ATTRIBUTES: 'service.name=overruled,deployment.environment.name=a%2Cb',
        OTEL_SERVICE_NAME: 'builds',
        OTEL_TRACES_SAMPLER: 'parentbased_traceidratio',
        OTEL_TRACES_SAMPLER_ARG: '0.25',
      }),
    ).toEqual({
      url: 'http://traces.example/here?key=1',
      headers: { authorization: 'Basic dXNlcg==', tenant: '2' },
      resource: { 'service.name': 'builds', 'deployment.environment.name': 'a,b' },
      sampler: 'parentbased_traceidratio',
      ratio: 0.25,
    });
  });

  it('whatever the ratio says, where the sampler does not ask for one', () => {
    expect(traceSettings({ ...endpoint, OTEL_TRACES_SAMPLER_ARG: 'x' })?.ratio).toBe(1);
  });
});

describe('wrong settings', () => {
  const faults = (environment: Record<string, string>) => {
    try {
      traceSettings(environment);
    } catch (error) {
      expect(error).toMatchObject({ code: 'INVALID_SETTINGS' });
      return String(error);
    }
    throw new Error('they were taken');
  };

  it.each([
    ['OTEL_EXPORTER_OTLP_ENDPOINT', 'collector-secret:4318', 'expected a URL such as'],
    ['OTEL_EXPORTER_OTLP_TRACES_ENDPOINT', 'ftp://collector-secret', 'expected a URL such as'],
    ['OTEL_TRACES_EXPORTER', 'zipkin', 'expected otlp or none'],
    ['OTEL_EXPORTER_OTLP_PROTOCOL', 'grpc', 'expected http/json'],
    ['OTEL_EXPORTER_OTLP_TRACES_PROTOCOL', 'http/protobuf', 'expected http/json'],
    ['OTEL_EXPORTER_OTLP_HEADERS', 'Bearer secret', 'expected pairs'],
    ['OTEL_EXPORTER_OTLP_HEADERS', 'a b=secret', 'a header of HTTP'],
    ['OTEL_EXPORTER_OTLP_TRACES_HEADERS', 'a=secret%0d%0ab', 'a header of HTTP'],
    ['OTEL_RESOURCE_ATTRIBUTES', 'name=%zz-secret', 'expected pairs'],
    ['OTEL_TRACES_SAMPLER', 'sometimes', 'expected one of always_on'],
  ])('%s=%s is refused by name, without its value', (name, value, expected) => {
    const text = faults({ ...endpoint, [name]: value });
    expect(text).toContain(`${name}: `);
    expect(text).toContain(expected);
    expect(text).not.toContain('secret');
  });

  it('are all named at once', () => {
    const text = faults({
      ...endpoint,
      OTEL_EXPORTER_OTLP_PROTOCOL: 'grpc',
      OTEL_TRACES_SAMPLER: 'traceidratio',
      OTEL_TRACES_SAMPLER_ARG: '1.5',
    });
    expect(text).toContain('2 faults');
    expect(text).toContain('OTEL_TRACES_SAMPLER_ARG: expected a number from 0 to 1');
  });
});

it('a package that is not installed is named, and who needs it', async () => {
  const missing = Object.assign(new Error('not there'), { code: 'ERR_MODULE_NOT_FOUND' });
  await expect(library('@example/none', 'Sending traces', () => Promise.reject(missing))).rejects.toThrow(
    'Sending traces needs the package @example/none, which is not installed. Install it beside this one: npm install @example/none',
  );
});

describe('traceparent', () => {
  const trace = '4bf92f3577b34da6a3ce929d0e0e4736';
  const span = '00f067aa0ba902b7';

  it('names the span that a request belongs to', () => {
    const found = { traceId: trace, spanId: span };
    expect(remoteSpan(`00-${trace}-${span}-01`, 'a=1')).toEqual({ ...found, sampled: true, state: 'a=1' });
    expect(remoteSpan(`00-${trace}-${span}-00`, undefined)).toMatchObject({ ...found, sampled: false });
    expect(remoteSpan(`cc-${trace}-${span}-03-later`, 'x'.repeat(513))).toEqual({
      ...found,
      sampled: true,
      state: undefined,
    });
  });

  it.each([
    undefined,
    '',
    `00-${trace}-${span}`,
    `ff-${trace}-${span}-01`,
    `00-${trace}-${span}-01-more`,
    `00-${'0'.repeat(32)}-${span}-01`,
    `00-${trace}-${'0'.repeat(16)}-01`,
    `00-${trace.toUpperCase()}-${span}-01`,
  ])('%s names none', (header) => {
    expect(remoteSpan(header, undefined)).toBeUndefined();
  });
});
