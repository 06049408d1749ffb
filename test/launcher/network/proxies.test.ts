// Addresses of proxies, and which connection goes by which.
import { describe, expect, test } from 'vitest';
import { readNoProxy } from '../../../launcher/network/no-proxy.js';
import { proxyEnvironment, proxyFor, readProxy } from '../../../launcher/network/proxies.js';

describe('the address of a proxy', () => {
  test.each([
    ['http://proxy.example.com:3128', { secure: false, host: 'proxy.example.com', port: 3128 }],
    ['proxy.example.com:3128', { secure: false, host: 'proxy.example.com', port: 3128 }],
    ['http://proxy.example.com', { secure: false, port: 80 }],
    ['https://proxy.example.com/', { secure: true, port: 443 }],
    ['http://[fd00::1]:3128', { host: 'fd00::1', port: 3128 }],
  ])('%s', (text, expected) => {
    expect(readProxy(text)).toMatchObject({ ...expected, authorization: null });
  });

  test('with user and password shows neither', () => {
    const proxy = readProxy('http://me:p%40ss@proxy:3128');
    expect(proxy?.authorization).toBe(`Basic ${Buffer.from('me:p@ss').toString('base64')}`);
    expect(proxy?.shown).toBe('http://proxy:3128');
  });

  test.each([
    'socks5://me:secret@proxy:1080',
    'http://me:secret@',
    'http://me:secret%zz@proxy',
    'http://me:secret@proxy/path',
  ])('%s is refused without repeating it', (text) => {
    expect(() => readProxy(text)).toThrow(/expected the address of an HTTP proxy/);
    expect(() => readProxy(text)).not.toThrow(/secret/);
  });
});

describe('a connection', () => {
  const settings = {
    https: readProxy('http://secure:1'),
    http: readProxy('http://user:password@plain:2'),
    bypass: readNoProxy('direct.example.com'),
    noProxy: 'direct.example.com',
  };

  test('goes by the proxy of its kind, unless NO_PROXY names its host', () => {
    const target = { host: 'pools.example.com', port: 443 };
    expect(proxyFor(settings, target, true)?.host).toBe('secure');
    expect(proxyFor(settings, target, false)?.host).toBe('plain');
    expect(proxyFor(settings, { host: 'direct.example.com', port: 443 }, true)).toBeNull();
  });

  test('of a program that is started goes the same way', () => {
    expect(proxyEnvironment(settings)).toEqual({
      HTTPS_PROXY: 'http://secure:1',
      https_proxy: 'http://secure:1',
      HTTP_PROXY: 'http://user:password@plain:2',
      http_proxy: 'http://user:password@plain:2',
      NO_PROXY: 'direct.example.com',
      no_proxy: 'direct.example.com',
    });
  });
});
