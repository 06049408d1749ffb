// Signing in, and pages that say only one thing.
interface SignInProperties {
  /** Of a one-time link. Redeemed by a button, so that whatever looks at links in advance does not use it up. */
  readonly code?: string | undefined;
  readonly fault?: string;
  /** Where people can sign in as well, by OpenID Connect. */
  readonly provider?: string | undefined;
}

export function SignInPage({ code, fault, provider }: SignInProperties) {
  return (
    <div class="narrow panel">
      <h1>Sign in</h1>
      {fault === undefined ? null : (
        <p class="failure" role="alert">
          {fault}
        </p>
      )}
      {code === undefined ? <Ways provider={provider} /> : <ByLink code={code} />}
    </div>
  );
}

function Ways({ provider }: Pick<SignInProperties, 'provider'>) {
  return (
    <>
      {provider === undefined ? null : (
        <>
          <p>
            <a class="button primary" href="/sign-in/oidc">
              Sign in with {provider}
            </a>
          </p>
          <p class="or">
            <span>or with an API key</span>
          </p>
        </>
      )}
      <form method="post" action="/sign-in" class="fields">
        <label>
          API key id <input name="id" autocomplete="username" spellcheck={false} required autofocus />
        </label>
        <label>
          Secret <input name="secret" type="password" autocomplete="current-password" required />
        </label>
        <button>Sign in</button>
      </form>
      <p class="facts">
        No key? Administrators make one under Access. The first one is in <code>administrator.json</code> of
        the data folder.
      </p>
    </>
  );
}

function ByLink({ code }: { readonly code: string }) {
  return (
    <form method="post" action="/sign-in" class="fields">
      <p>This link signs in one browser, once.</p>
      <input type="hidden" name="code" value={code} />
      <button autofocus>Sign in</button>
    </form>
  );
}

interface MessageProperties {
  readonly title: string;
  readonly text: string;
  /** Where to go on; not given: the list of pools. */
  readonly back?: string | undefined;
}

export function MessagePage({ title, text, back }: MessageProperties) {
  return (
    <div class="narrow panel">
      <h1>{title}</h1>
      <p>{text}</p>
      <p>
        <a href={back ?? '/pools'}>{back === undefined ? 'To the pools' : 'Back to where you were'}</a>
      </p>
    </div>
  );
}
