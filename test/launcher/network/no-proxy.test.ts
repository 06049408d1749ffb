// NO_PROXY as Go programs read it.
import { describe, expect, test } from 'vitest';
import { readNoProxy } from '../../../launcher/network/no-proxy.js';

/** List, host, port, whether it goes direct. */
const cases: readonly (readonly [string, string, number, boolean])[] = [
  ['', 'example.com', 443, false],
  ['*', 'example.com', 443, true],
  ['example.com', 'example.com', 443, true],
  ['example.com', 'EXAMPLE.com.', 443, true],
  ['example.com', 'pools.example.com', 443, true],
  ['example.com', 'badexample.com', 443, false],
  ['.example.com', 'pools.example.com', 443, true],
  ['.example.com', 'example.com', 443, false],
  ['*.example.com', 'pools.example.com', 443, true],
  ['*.example.com', 'example.com', 443, false],
  ['example.com:8883', 'example.com', 8883, true],
  ['example.com:8883', 'example.com', 443, false],
  ['a.com, b.com', 'b.com', 443, true],
  ['a.com b.com', 'b.com', 443, true],
  ['10.0.0.7', '10.0.0.7', 443, true],
  ['10.0.0.7', '10.0.0.70', 443, false],
  ['10.0.0.7:8883', '10.0.0.7', 8883, true],
  ['10.0.0.7:8883', '10.0.0.7', 443, false],
  ['10.0.0.0/8', '10.200.3.4', 443, true],
  ['10.0.0.0/8', '11.0.0.1', 443, false],
  ['10.0.0.0/8', 'ten.example.com', 443, false],
  ['10.0.0.0/33', '10.0.0.1', 443, false],
  ['fd00::1', 'fd00::1', 443, true],
  ['[fd00::1]', 'fd00:0:0::1', 443, true],
  ['[fd00::1]:8883', 'fd00::1', 443, false],
  ['fd00::/8', 'fd12::9', 443, true],
  ['fd00::/8', 'fe80::9', 443, false],
  ['/,:,[,//8,host:port:', 'host', 443, false],
  // Whatever the list says, this machine is not asked of a proxy.
  ['', 'localhost', 443, true],
  ['', '127.8.0.1', 443, true],
  ['', '::1', 443, true],
];

describe('NO_PROXY', () => {
  test.each(cases)('%j and %s port %d: direct is %s', (list, host, port, direct) => {
    expect(readNoProxy(list)(host, port)).toBe(direct);
  });
});
