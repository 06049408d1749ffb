// A real OpenID provider (oidc-provider) in this process. Who asks to sign in is signed in as whoever the test has chosen.
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Provider } from 'oidc-provider';

export interface TestProvider {
  readonly issuer: string;
  /** By `sub`. */
  readonly accounts: Map<string, Record<string, unknown>>;
  /** Who sits in front of the browser: the `sub`, or null for somebody who goes no further. */
  person: string | null;
  /** Where it may send browsers back to; it answers from then on. */
  serve(redirectUri: string): void;
  close(): Promise<void>;
}

export const client = { id: 'poolwright', secret: 'secret of poolwright' };

/** At the name `localhost`: for a browser another site than 127.0.0.1. */
export async function startProvider(): Promise<TestProvider> {
  const late: { provider?: Provider } = {};
  const server: Server = createServer((request, response) => {
    const { provider } = late;
    if (provider === undefined) response.writeHead(503).end();
    else if (request.url?.startsWith('/interaction/') !== true) void provider.callback()(request, response);
    else {
      const refusal = { error: 'access_denied', error_description: 'they went away' };
      const result = test.person === null ? refusal : { login: { accountId: test.person, remember: false } };
      void provider.interactionFinished(request, response, result);
    }
  });
  await new Promise<void>((resolve) => server.listen(0, 'localhost', resolve));
  const issuer = `http://localhost:${String((server.address() as AddressInfo).port)}`;
  const test: TestProvider = {
    issuer,
    accounts: new Map(),
    person: null,
    serve(redirectUri) {
      late.provider ??= new Provider(issuer, {
        clients: [{ client_id: client.id, client_secret: client.secret, redirect_uris: [redirectUri] }],
        scopes: ['openid', 'profile', 'email', 'groups'],
        claims: {
          openid: ['sub'],
          profile: ['preferred_username'],
          email: ['email', 'email_verified'],
          groups: ['groups'],
        },
        cookies: { keys: ['a key of the test'] },
        features: { devInteractions: { enabled: false } },
        interactions: { url: (_ctx, { uid }) => `/interaction/${uid}` },
        findAccount: (_ctx, sub) => ({
          accountId: sub,
          claims: () => ({ sub, ...test.accounts.get(sub) }),
        }),
        // Consent is not what is tested.
        async loadExistingGrant({ oidc }) {
          const { client: asking, session, provider } = oidc;
          const grant = new provider.Grant({
            clientId: asking?.clientId ?? '',
            accountId: session?.accountId ?? '',
          });
          grant.addOIDCScope('openid profile email groups');
          await grant.save();
          return grant;
        },
      });
    },
    async close() {
      server.closeAllConnections();
      await new Promise<void>((resolve) =>
        server.close(() => {
          resolve();
        }),
      );
    },
  };
  return test;
}
