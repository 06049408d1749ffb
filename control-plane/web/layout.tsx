// What every page has around it, and the small parts that pages share.
import type { Child } from 'hono/jsx';
import type { Identity } from '../access/api-keys.js';
import type { AssetUrl } from './assets.js';

export interface PageProperties {
  readonly title: string;
  readonly asset: AssetUrl;
  readonly identity?: Identity | undefined;
  /** How many are open. */
  readonly alarms?: number;
  /** Of the page: tells where in the navigation it is. */
  readonly path?: string;
  /** What the page shows; the browser looks again when something of it changes. */
  readonly live?: string;
  /** Way up: label and address. */
  readonly trail?: readonly (readonly [string, string])[];
  readonly children: Child;
}

const places = [
  ['Pools', '/pools'],
  ['Stacks', '/stacks'],
  ['Activity', '/activity'],
  ['Alarms', '/alarms'],
  ['Audit', '/audit'],
  ['Access', '/access'],
] as const;

/** Who may not open a place is not led there. */
function placesFor({ role }: Identity) {
  return places.filter(([, address]) => address !== '/access' || role === 'administrator');
}

export function Page(properties: PageProperties) {
  const { title, asset, identity, alarms = 0, path = '', live, trail = [], children } = properties;
  return (
    <html lang="en">
      <head>
        <meta charset="utf-8" />
        <meta name="viewport" content="width=device-width, initial-scale=1" />
        <meta name="color-scheme" content="light dark" />
        <title>{`${title} · Poolwright`}</title>
        <link rel="icon" href={asset('favicon.svg')} />
        <link rel="stylesheet" href={asset('style.css')} />
        <script type="module" src={asset('client.ts')}></script>
      </head>
      <body data-view={live}>
        <a class="skip" href="#content">
          Skip to content
        </a>
        <header class="top">
          <a class="brand" href="/pools">
            <Mark />
            Poolwright
          </a>
          {identity === undefined ? null : (
            <>
              <nav aria-label="Main">
                {placesFor(identity).map(([name, address]) => (
                  <a href={address} aria-current={path.startsWith(address) ? 'true' : undefined}>
                    {name}
                    {name === 'Alarms' && alarms > 0 ? (
                      <span class="count">
                        {alarms} <span class="wide">open</span>
                      </span>
                    ) : null}
                  </a>
                ))}
              </nav>
              <form method="post" action="/sign-out" class="who">
                <span class="name" title={`${identity.name}, ${identity.role}`}>
                  {identity.name}
                </span>
                <button class="link">Sign out</button>
              </form>
            </>
          )}
        </header>
        <main id="content" tabindex={-1}>
          {trail.length === 0 ? null : (
            <nav class="trail" aria-label="Breadcrumb">
              <ol>
                {trail.map(([label, href]) => (
                  <li>
                    <a href={href}>{label}</a>
                  </li>
                ))}
              </ol>
            </nav>
          )}
          {children}
        </main>
      </body>
    </html>
  );
}

/** Lanes of a pool, one of them taken. */
function Mark() {
  return (
    <svg class="mark" viewBox="0 0 20 20" width="18" height="18" aria-hidden="true">
      <rect x="1" y="2" width="18" height="4" rx="2" />
      <rect x="1" y="8" width="12" height="4" rx="2" />
      <rect x="1" y="14" width="15" height="4" rx="2" />
    </svg>
  );
}

/** A state as a word in a colour of its own. */
export function Badge({ word }: { readonly word: string }) {
  return <span class={`badge ${word.toLowerCase()}`}>{word}</span>;
}

/** `at`: Unix milliseconds. Browsers turn it into the viewer's own time. */
export function Time({ at }: { readonly at: number }) {
  const iso = new Date(at).toISOString();
  return (
    <time datetime={iso} data-relative="">
      {iso.slice(0, 16).replace('T', ' ')} UTC
    </time>
  );
}

/** Time that passes since `since`, Unix milliseconds. */
export function Elapsed({ since }: { readonly since: number }) {
  return (
    <time class="took" datetime={new Date(since).toISOString()} data-elapsed="">
      …
    </time>
  );
}

/** A part of the page that is exchanged when it has changed. */
export function Live({ id, children }: { readonly id: string; readonly children: Child }) {
  return (
    <div id={id} data-live="">
      {children}
    </div>
  );
}

export function Empty({ children }: { readonly children: Child }) {
  return <p class="empty">{children}</p>;
}
