// Which addresses are reached without a proxy: NO_PROXY as Go programs read it, since that is what teams have set.
// Source: golang.org/x/net/http/httpproxy, Config.NoProxy.
import { BlockList, isIP } from 'node:net';

/** Whether a connection to this host (a name or an IP address without brackets) and port goes direct. */
export type Bypass = (host: string, port: number) => boolean;

/**
 * A comma list (blanks count as commas, as for curl) of:
 * - `example.com`: the host and everything below it; `.example.com` or `*.example.com`: only what is below it;
 * - `10.0.0.7`, `[fd00::1]`: the address; `10.0.0.0/8`, `fd00::/8`: the range, for hosts that are given as addresses;
 * - any of the first three with `:port`: only that port;
 * - `*`: everything.
 * This machine itself (`localhost` and loopback addresses) is never reached by a proxy. Entries of another form match
 * nothing: the list is shared with programs that may know more.
 */
export function readNoProxy(text: string): Bypass {
  const entries = text.split(/[\s,]+/).filter((entry) => entry !== '');
  const rules = entries.flatMap((entry) => ruleOf(entry.toLowerCase()) ?? []);
  return (host, port) => {
    const name = host.toLowerCase().replace(/\.$/, '');
    return isThisMachine(name) || rules.some((rule) => rule(name, port));
  };
}

const loopback = new BlockList();
loopback.addSubnet('127.0.0.0', 8, 'ipv4');
loopback.addAddress('::1', 'ipv6');

function isThisMachine(host: string): boolean {
  return host === 'localhost' || contains(loopback, host);
}

function contains(list: BlockList, host: string): boolean {
  const version = isIP(host);
  return version !== 0 && list.check(host, version === 4 ? 'ipv4' : 'ipv6');
}

function ruleOf(entry: string): Bypass | undefined {
  if (entry === '*') return () => true;
  return rangeRule(entry) ?? hostRule(entry);
}

function rangeRule(entry: string): Bypass | undefined {
  const [, address = '', bits = ''] = /^([^/]+)\/(\d{1,3})$/.exec(entry) ?? [];
  const version = isIP(address);
  if (version === 0 || Number(bits) > (version === 4 ? 32 : 128)) return undefined;
  const list = new BlockList();
  list.addSubnet(address, Number(bits), version === 4 ? 'ipv4' : 'ipv6');
  return (host) => contains(list, host);
}

function hostRule(entry: string): Bypass | undefined {
  // A bare IPv6 address has colons of its own: it takes a port only in brackets.
  const parts = isIP(entry) === 6 ? [entry, entry] : /^(\[[^\]]+\]|[^:/]+)(?::(\d{1,5}))?$/.exec(entry);
  const [, name = '', onlyPort] = parts ?? [];
  if (name === '') return undefined;
  const wanted = (port: number) => onlyPort === undefined || port === Number(onlyPort);
  const address = name.replace(/^\[|\]$/g, '');
  if (isIP(address) !== 0) {
    const list = new BlockList();
    list.addAddress(address, isIP(address) === 4 ? 'ipv4' : 'ipv6');
    return (host, port) => contains(list, host) && wanted(port);
  }
  const below = `.${name.replace(/^\*?\./, '')}`;
  const itself = name.startsWith('.') || name.startsWith('*.') ? undefined : name;
  return (host, port) => (host === itself || host.endsWith(below)) && wanted(port);
}
