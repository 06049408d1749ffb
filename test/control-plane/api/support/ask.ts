// Questions to a control plane over HTTP, as any client asks them.
import type { TestPlane } from '../../../support/control-plane.js';

export interface Answer {
  readonly data?: Record<string, unknown> | null;
  readonly errors?: readonly {
    readonly message: string;
    readonly extensions?: { readonly code?: string };
    readonly path?: readonly (string | number)[];
  }[];
}

export interface Asker {
  (query: string, variables?: object, headers?: Record<string, string>, path?: string): Promise<Answer>;
  /** The data, which must come without errors. */
  data<T>(query: string, variables?: object): Promise<T>;
  /** The code of the first error; undefined when there is none. */
  code(query: string, variables?: object): Promise<string | undefined>;
}

const signIn = 'mutation ($id: ID!, $secret: String!) { apiKeyUser(id: $id, secret: $secret) { jwt } }';

/** Asks in the name of an API key; without one, without credentials. */
export async function askerFor(
  plane: Pick<TestPlane, 'url'>,
  key?: { readonly id: string; readonly secret: string },
): Promise<Asker> {
  let authorization: Record<string, string> = {};
  const post = async (
    query: string,
    variables: object = {},
    headers: Record<string, string> = {},
    path = '/graphql',
  ): Promise<Answer> => {
    const response = await fetch(`${plane.url}${path}`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', ...authorization, ...headers },
      body: JSON.stringify({ query, variables }),
    });
    return (await response.json()) as Answer;
  };
  if (key !== undefined) {
    const { data } = await post(signIn, key);
    const { jwt } = data?.['apiKeyUser'] as { jwt: string };
    authorization = { authorization: `Bearer ${jwt}` };
  }
  return Object.assign(post, {
    async data<T>(query: string, variables: object = {}): Promise<T> {
      const { data, errors } = await post(query, variables);
      if (errors !== undefined || data == null) throw new Error(JSON.stringify(errors));
      return data as T;
    },
    async code(query: string, variables: object = {}): Promise<string | undefined> {
      return (await post(query, variables)).errors?.[0]?.extensions?.code;
    },
  });
}
