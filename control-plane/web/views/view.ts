// What the views of a signed-in person are made with: who asks, what they may see, and the frame around a page.
import type { Context as HttpContext } from 'hono';
import type { Child } from 'hono/jsx';
import type { Identity } from '../../access/api-keys.js';
import type { Rights } from '../../access/rights.js';
import type { Context } from '../../context.js';
import type { ServerEnvironment } from '../../http/body.js';
import type { LogStore } from '../../store/logs.js';

export interface WebEnvironment extends ServerEnvironment {
  /** `own`: the context in the name of whoever asks, so that what they change is on record. */
  Variables: { identity: Identity; rights: Rights; own: Context };
}

export type WebContext = HttpContext<WebEnvironment>;

export interface PageHead {
  readonly title: string;
  /** What the page shows, see live.ts; not given: the page does not follow anything. */
  readonly live?: string;
  /** Way up: label and address. */
  readonly trail?: readonly (readonly [string, string])[];
}

export interface ViewParts {
  readonly context: Context;
  readonly logs: LogStore;
  /** Answers with a page around the content. */
  readonly show: (c: WebContext, page: PageHead, content: Child) => Response | Promise<Response>;
  /** Asked while a page is followed: its key may be revoked meanwhile, or the thing moved out of sight. */
  readonly stillSees: (c: WebContext, view: string) => Promise<boolean>;
}
