// Azure's instance metadata service, as far as a worker asks it.
// Source: https://learn.microsoft.com/azure/virtual-machines/instance-metadata-service
import * as z from 'zod';
import type { Clock } from '../clock.js';
import { unexpected, type Ask, type Question } from './ask.js';
import { createCloudClock } from './cloud-clock.js';
import { readDocument } from './document.js';

/** Itself, as Azure's resource manager knows it. */
export interface AzureMachineName {
  /** As scheduled events name it: `SET_NUMBER`. */
  readonly name: string;
  /** Path of the instance below the resource manager's address. */
  readonly resourceId: string;
  readonly location: string;
  /** `AzurePublicCloud`, `AzureUSGovernmentCloud`, `AzureChinaCloud`. */
  readonly azEnvironment: string;
}

export interface AzureMetadata {
  /** The JSON text at a path below `/metadata/`, with its query. */
  get(path: string, signal: AbortSignal, timeout?: number): Promise<string>;
  post(path: string, body: string, signal: AbortSignal): Promise<void>;
  itself(signal: AbortSignal): Promise<AzureMachineName>;
  /** An access token of the given client's identity for a resource. */
  token(clientId: string | null, resource: string, signal: AbortSignal): Promise<string>;
  /** A time by Azure's clock (Unix milliseconds), by this machine's clock. */
  local(time: number): number;
}

const computeSchema = z.object({
  name: z.string(),
  resourceId: z.string(),
  location: z.string(),
  azEnvironment: z.string(),
});
const tokenSchema = z.object({ access_token: z.string() });

export function createAzureMetadata(endpoint: string, ask: Ask, clock: Pick<Clock, 'now'>): AzureMetadata {
  let known: AzureMachineName | undefined;
  const time = createCloudClock(clock);

  async function request(question: Question, signal: AbortSignal): Promise<string> {
    const answer = await ask(question, signal);
    time.heard(answer.headers);
    if (answer.status === 200) return answer.text;
    throw unexpected(question, answer);
  }

  const get: AzureMetadata['get'] = (path, signal, timeout) =>
    request(
      {
        url: `${endpoint}/metadata/${path}`,
        headers: { metadata: 'true' },
        ...(timeout === undefined ? {} : { timeout }),
      },
      signal,
    );

  return {
    get,
    local: (told) => time.local(told),
    async post(path, body, signal) {
      const headers = { metadata: 'true', 'content-type': 'application/json' };
      await request({ method: 'POST', url: `${endpoint}/metadata/${path}`, headers, body }, signal);
    },
    async itself(signal) {
      known ??= readDocument(
        computeSchema,
        await get('instance/compute?api-version=2021-02-01', signal),
        'the metadata of the instance',
      );
      return known;
    },
    async token(clientId, resource, signal) {
      const query = new URLSearchParams({
        'api-version': '2018-02-01',
        resource,
        ...(clientId === null ? {} : { client_id: clientId }),
      });
      const text = await get(`identity/oauth2/token?${query.toString()}`, signal);
      return readDocument(tokenSchema, text, "the token of the instance's identity").access_token;
    },
  };
}
