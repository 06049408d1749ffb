// Deliveries in the form that each Git server sends them, with the proof that its secret gives.
import { createHmac, randomUUID } from 'node:crypto';
import { readFileSync } from 'node:fs';
import type { GitProvider } from '../../../../control-plane/webhooks/told.js';

export interface Sent {
  readonly headers: Record<string, string>;
  readonly body: string;
}

/** A payload of the folder beside, with what is given in its place. */
export function payload(name: string, change: Record<string, unknown> = {}): string {
  const text = readFileSync(new URL(`../payloads/${name}.json`, import.meta.url), 'utf8');
  return JSON.stringify({ ...(JSON.parse(text) as object), ...change });
}

const signature = (secret: string, body: string) =>
  `sha256=${createHmac('sha256', secret).update(body).digest('hex')}`;

/** `event`: as the server names it in its header. */
export function delivery(
  provider: GitProvider,
  secret: string,
  { body, event = '', id = randomUUID() }: { body: string; event?: string; id?: string },
): Sent {
  const json = { 'content-type': 'application/json' };
  switch (provider) {
    case 'github':
      return {
        body,
        headers: {
          ...json,
          'x-github-event': event,
          'x-github-delivery': id,
          'x-hub-signature-256': signature(secret, body),
        },
      };
    case 'gitlab':
      return {
        body,
        headers: { ...json, 'x-gitlab-event': event, 'idempotency-key': id, 'x-gitlab-token': secret },
      };
    case 'bitbucket':
      return {
        body,
        headers: {
          ...json,
          'x-event-key': event,
          'x-request-uuid': id,
          'x-hub-signature': signature(secret, body),
        },
      };
    case 'generic':
      return { body, headers: { ...json, 'x-hub-signature-256': signature(secret, body) } };
  }
}
