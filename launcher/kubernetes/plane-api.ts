// The control plane's GraphQL API as the controller asks it: signed in with an API key, through the proxies of its own
// environment.
import type http from 'node:http';
import * as z from 'zod';
import { messageOf, PoolwrightError } from '../../protocol/errors.js';
import { createHttpClient, type HttpClient } from '../network/http-client.js';
import type { ProxySettings } from '../network/proxies.js';
import { trustedCertificates } from '../network/tls.js';

export const apiKeySchema = z.object({
  keyId: z.string().min(1),
  keySecret: z.string().min(1),
  endpoint: z.url(),
});
export type ApiKey = z.output<typeof apiKeySchema>;

/** One operation. Throws UNAVAILABLE, UNAUTHORIZED, CONFLICT. */
export type Call = <Schema extends z.ZodType>(
  query: string,
  variables: Readonly<Record<string, unknown>>,
  schema: Schema,
) => Promise<z.output<Schema>>;

/** Milliseconds that an answer may take. */
const answerWithin = 30_000;

/** Signs in, and ends the connections afterwards. */
export async function withPlane<Result>(
  key: ApiKey,
  proxies: ProxySettings,
  use: (call: Call) => Promise<Result>,
): Promise<Result> {
  const endpoint = key.endpoint.replace(/\/+$/, '').replace(/\/graphql$/, '');
  const client = createHttpClient({
    endpoint,
    proxies,
    authorities: () => trustedCertificates([], process.env),
  });
  const operation = async <Schema extends z.ZodType>(
    jwt: string | undefined,
    query: string,
    variables: Readonly<Record<string, unknown>>,
    schema: Schema,
  ): Promise<z.output<Schema>> => {
    const answer = await post(client, jwt, JSON.stringify({ query, variables })).catch((error: unknown) => {
      throw new PoolwrightError(
        'UNAVAILABLE',
        `${endpoint}/graphql does not answer as an API does: ${messageOf(error)}`,
        { cause: error },
      );
    });
    return dataOf(`${endpoint}/graphql`, answer, schema);
  };
  try {
    const { apiKeyUser } = await operation(
      undefined,
      'mutation ($id: ID!, $secret: String!) { apiKeyUser(id: $id, secret: $secret) { jwt } }',
      { id: key.keyId, secret: key.keySecret },
      z.object({ apiKeyUser: z.object({ jwt: z.string() }) }),
    );
    return await use((query, variables, schema) => operation(apiKeyUser.jwt, query, variables, schema));
  } finally {
    client.close();
  }
}

const answerSchema = z.object({
  data: z.unknown().optional(),
  errors: z.array(z.object({ message: z.string() })).optional(),
});

async function post(
  client: HttpClient,
  jwt: string | undefined,
  body: string,
): Promise<z.output<typeof answerSchema>> {
  const request = client.request('/graphql', {
    method: 'POST',
    signal: AbortSignal.timeout(answerWithin),
    timeout: answerWithin,
    headers: {
      'content-type': 'application/json',
      'content-length': String(Buffer.byteLength(body)),
      ...(jwt === undefined ? {} : { authorization: `Bearer ${jwt}` }),
    },
  });
  const answered = new Promise<http.IncomingMessage>((resolve, reject) => {
    request.once('response', resolve);
    request.on('error', reject);
  });
  request.end(body);
  const response = await answered;
  const parts: Buffer[] = [];
  for await (const part of response) parts.push(part as Buffer);
  const text = Buffer.concat(parts).toString('utf8');
  try {
    return answerSchema.parse(JSON.parse(text));
  } catch {
    throw new Error(`status ${String(response.statusCode)}, ${JSON.stringify(text.slice(0, 200))}`);
  }
}

function dataOf<Schema extends z.ZodType>(
  url: string,
  { data, errors = [] }: z.output<typeof answerSchema>,
  schema: Schema,
): z.output<Schema> {
  const [first] = errors;
  if (first === undefined) {
    const parsed = schema.safeParse(data);
    if (parsed.success) return parsed.data;
    const faults = parsed.error.issues.map(
      ({ path, message }) => `${['data', ...path].join('.')}: ${message}`,
    );
    throw new PoolwrightError(
      'UNAVAILABLE',
      `${url} answers in another shape than expected, as another version or another program does: ${faults.join('; ')}`,
    );
  }
  if (first.message === 'unauthorized')
    throw new PoolwrightError('UNAUTHORIZED', `${url} refuses the API credentials of the pool`);
  throw new PoolwrightError('CONFLICT', `${url} answers: ${first.message}`);
}
