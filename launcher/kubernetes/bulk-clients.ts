// Connections over which the controller speaks of runs to control planes, kept from run to run: what a connection trusts
// takes some 10 ms of the processor and a megabyte, and a handshake takes its time.
import { createHttpClient, type HttpClient, type OwnAuthorities } from '../network/http-client.js';
import type { ProxySettings } from '../network/proxies.js';
import { trustedCertificates } from '../network/tls.js';

export interface BulkClients {
  /** Not to be closed by its users. */
  to(endpoint: string, own: OwnAuthorities): HttpClient;
}

interface Kept {
  readonly trusted: string;
  readonly client: HttpClient;
  now: () => number;
}

/** Milliseconds: what lies longer, something in between may have forgotten, and a request on it would wait for nothing. */
const idle = 20_000;

export function createBulkClients(options: { readonly proxies: ProxySettings }): BulkClients {
  /** By endpoint: as many as there are control planes. */
  const kept = new Map<string, Kept>();

  return {
    to(endpoint, { authorities, now }) {
      const trusted = authorities.join();
      const before = kept.get(endpoint);
      if (before?.trusted === trusted) {
        before.now = now;
        return before.client;
      }
      const made: Kept = {
        trusted,
        client: createHttpClient({
          endpoint,
          idle,
          proxies: options.proxies,
          authorities: () => trustedCertificates(authorities, process.env),
          own: { authorities, now: () => made.now() },
        }),
        now,
      };
      // The one before has its last requests answered; the control plane ends its idle connections.
      kept.set(endpoint, made);
      return made.client;
    },
  };
}
