// HTTP proxies of the controller and of the launcher's containers in run pods: variables of their own environment.
import { readNoProxy } from '../network/no-proxy.js';
import { readProxy, type ProxySettings } from '../network/proxies.js';

/** Throws INVALID_SETTINGS for an address that is none. */
export function proxiesOf(environment: Readonly<Record<string, string | undefined>>): ProxySettings {
  const value = (name: string) => environment[name] ?? environment[name.toLowerCase()] ?? '';
  const noProxy = value('NO_PROXY');
  return {
    https: readProxy(value('HTTPS_PROXY')),
    http: readProxy(value('HTTP_PROXY')),
    bypass: readNoProxy(noProxy),
    noProxy,
  };
}
