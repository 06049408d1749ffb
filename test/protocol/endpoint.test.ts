// The broker's address in every form that users and tokens write it in.
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { formatBrokerEndpoint, parseBrokerEndpoint } from '../../protocol/endpoint.js';
import { codeOf, refusal } from './support/refusals.js';

describe('a broker endpoint', () => {
  it.each([
    ['ssl://broker.example.com:8883', 'broker.example.com', 8883],
    ['tls://broker.example.com:443', 'broker.example.com', 443],
    ['mqtts://10.0.0.1:8883/', '10.0.0.1', 8883],
    ['SSL://Broker:1', 'Broker', 1],
    ['localhost:18883', 'localhost', 18883],
    ['localhost', 'localhost', 8883],
    ['ssl://[::1]:8883', '::1', 8883],
    ['[fe80::1]', 'fe80::1', 8883],
    [' broker:65535\n', 'broker', 65535],
  ])('reads %j', (text, host, port) => {
    expect(parseBrokerEndpoint(text)).toEqual({ host, port });
  });

  it.each([
    ['tcp://broker:1883', 'scheme'],
    ['mqtt://broker:1883', 'scheme'],
    ['wss://broker/mqtt', 'address'],
    ['https://broker:443', 'scheme'],
    ['ssl://broker:0', 'port'],
    ['ssl://broker:70000', 'port'],
    ['ssl://broker:port', 'address'],
    ['ssl://user:password@broker:8883', 'address'],
    ['ssl://bro ker:8883', 'address'],
    ['ssl://-broker:8883', 'host name'],
    ['ssl://[::zz]:8883', 'address'],
    ['::1', 'address'],
    ['', 'address'],
  ])('refuses %j', (text, expected) => {
    const { code, message } = refusal(() => parseBrokerEndpoint(text));
    expect(code).toBe('INVALID_ARGUMENT');
    expect(message).toContain(expected);
  });

  it('comes back the same after it was written out', () => {
    const host = fc.oneof(fc.domain(), fc.ipV4(), fc.ipV6());
    fc.assert(
      fc.property(host, fc.integer({ min: 1, max: 65_535 }), (name, port) => {
        const address = { host: name, port };
        expect(parseBrokerEndpoint(formatBrokerEndpoint(address))).toEqual(address);
      }),
    );
  });

  it('is read or refused, never a crash', () => {
    fc.assert(
      fc.property(fc.string(), (text) => {
        expect([undefined, 'INVALID_ARGUMENT']).toContain(codeOf(() => parseBrokerEndpoint(text)));
      }),
    );
  });
});
