// Azure's instance metadata service, as far as a worker asks it.
// Source: https://learn.microsoft.com/azure/virtual-machines/instance-metadata-service
import * as z from 'zod';
import { unexpected, type Ask, type Question } from './ask.js';

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
}

const computeSchema = z.object({
  name: z.string(),
  resourceId: z.string(),
  location: z.string(),
  azEnvironment: z.string(),
});
const tokenSchema = z.object({ access_token: z.string() });

export function createAzureMetadata(endpoint: string, ask: Ask): AzureMetadata {
  let known: AzureMachineName | undefined;

  async function request(question: Question, signal: AbortSignal): Promise<string> {
    const answer = await ask(question, signal);
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
    async post(path, body, signal) {
      const headers = { metadata: 'true', 'content-type': 'application/json' };
      await request({ method: 'POST', url: `${endpoint}/metadata/${path}`, headers, body }, signal);
    },
    async itself(signal) {
      known ??= computeSchema.parse(JSON.parse(await get('instance/compute?api-version=2021-02-01', signal)));
      return known;
    },
    async token(clientId, resource, signal) {
      const query = new URLSearchParams({
        'api-version': '2018-02-01',
        resource,
        ...(clientId === null ? {} : { client_id: clientId }),
      });
      return tokenSchema.parse(JSON.parse(await get(`identity/oauth2/token?${query.toString()}`, signal)))
        .access_token;
    },
  };
}
