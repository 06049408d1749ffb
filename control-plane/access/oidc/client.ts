// One sign-in at the provider: authorization code with PKCE, state and nonce. What has to be remembered in between, the
// browser keeps for us, sealed.
import type { Configuration } from 'openid-client';
import * as z from 'zod';
import { messageOf, PoolwrightError } from '../../../protocol/errors.js';
import type { Clock } from '../../clock.js';
import type { Vault } from '../vault.js';
import { personOf, type Person } from './claims.js';
import type { OidcSettings } from './settings.js';

/** Milliseconds from leaving for the provider to coming back. */
export const patience = 10 * 60 * 1000;
/** Milliseconds for which what the provider says of itself is taken for granted. */
const known = 60 * 60 * 1000;
/** Seconds that the provider may take for an answer. */
const timeout = 10;

const kept = z.object({ state: z.string(), nonce: z.string(), verifier: z.string(), until: z.number() });
const context = 'sign-in by OpenID Connect';

export interface OidcClient {
  /** On the button. */
  readonly label: string;
  /** Where to send the browser, and what it has to bring back. Throws UNAVAILABLE. */
  begin(redirectUri: string): Promise<{ readonly url: URL; readonly ticket: string }>;
  /**
   * `at`: where the provider sent the browser to. Throws UNAUTHORIZED for an answer that does not belong to this
   * browser's question, FORBIDDEN for an account without a role, UNAVAILABLE.
   */
  complete(at: URL, ticket: string | undefined): Promise<Person>;
}

export function createOidcClient(settings: OidcSettings, vault: Vault, clock: Clock): OidcClient {
  let configuration: { readonly value: Configuration; readonly at: number } | undefined;

  // Loaded with the first sign-in: most control planes have none.
  const library = () => import('openid-client');
  async function configured(): Promise<Configuration> {
    if (configuration !== undefined && clock.now() - configuration.at < known) return configuration.value;
    // eslint-disable-next-line @typescript-eslint/no-deprecated -- marked to stand out; the settings take http for this machine only
    const { allowInsecureRequests, discovery } = await library();
    const issuer = new URL(settings.issuer);
    try {
      const value = await discovery(issuer, settings.clientId, settings.clientSecret, undefined, {
        timeout,
        execute: issuer.protocol === 'http:' ? [allowInsecureRequests] : [],
      });
      configuration = { value, at: clock.now() };
      return value;
    } catch (cause) {
      throw new PoolwrightError(
        'UNAVAILABLE',
        `The OpenID provider ${settings.issuer} does not answer as one (${messageOf(cause)}). Try again, or sign in with an API key.`,
        { cause },
      );
    }
  }

  function ticketOf(sealed: string | undefined): z.infer<typeof kept> | undefined {
    if (sealed === undefined) return undefined;
    try {
      const ticket = kept.parse(JSON.parse(vault.open(context, sealed)));
      return ticket.until > clock.now() ? ticket : undefined;
    } catch {
      // Not one of ours: as good as none.
      return undefined;
    }
  }

  return {
    label: settings.label,
    async begin(redirectUri) {
      const config = await configured();
      const client = await library();
      const ticket = {
        state: client.randomState(),
        nonce: client.randomNonce(),
        verifier: client.randomPKCECodeVerifier(),
        until: clock.now() + patience,
      };
      const url = client.buildAuthorizationUrl(config, {
        redirect_uri: redirectUri,
        scope: settings.scopes.join(' '),
        state: ticket.state,
        nonce: ticket.nonce,
        code_challenge: await client.calculatePKCECodeChallenge(ticket.verifier),
        code_challenge_method: 'S256',
      });
      return { url, ticket: vault.seal(context, JSON.stringify(ticket)) };
    },
    async complete(at, sealed) {
      const ticket = ticketOf(sealed);
      if (ticket === undefined)
        throw new PoolwrightError(
          'UNAUTHORIZED',
          'This sign-in was not begun in this browser, or took too long.',
        );
      const config = await configured();
      const client = await library();
      try {
        const tokens = await client.authorizationCodeGrant(config, at, {
          expectedState: ticket.state,
          expectedNonce: ticket.nonce,
          pkceCodeVerifier: ticket.verifier,
          idTokenExpected: true,
        });
        const claims = tokens.claims();
        if (claims === undefined) throw new Error('the answer has no ID token');
        // Groups are often said there only.
        const more =
          config.serverMetadata().userinfo_endpoint === undefined
            ? {}
            : await client.fetchUserInfo(config, tokens.access_token, claims.sub);
        const person = personOf(settings, claims.sub, { ...claims, ...more });
        if (person !== undefined) return person;
      } catch (cause) {
        throw new PoolwrightError(
          'UNAUTHORIZED',
          'The OpenID provider did not confirm the sign-in. Try again; the log of the control plane says why it failed.',
          { cause },
        );
      }
      throw new PoolwrightError(
        'FORBIDDEN',
        'Your account is known, but no role is meant for it here. Ask an administrator of Poolwright.',
      );
    },
  };
}
