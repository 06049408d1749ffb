// What a Git server tells, whichever it is: branches that have moved, and what of the delivery starts nothing.
import * as z from 'zod';
import { commitSchema } from '../../protocol/messages.js';

export const gitProviders = ['github', 'gitlab', 'bitbucket', 'generic'] as const;
export type GitProvider = (typeof gitProviders)[number];

/** A branch that has a new tip. */
export interface Moved {
  readonly kind: 'push' | 'pull request';
  readonly branch: string;
  /** Full id. */
  readonly commit: string;
  /** First line of the commit's message, or the title of the pull request. */
  readonly title: string | null;
  /** Paths that have changed in the repository; null where the delivery does not say all of them. */
  readonly paths: readonly string[] | null;
  /** A run is wanted also where there is one of the commit; default: no. */
  readonly again?: boolean;
}

export interface Told {
  /** The repository's path on its server, such as `owner/name`; null where the delivery does not say. */
  readonly repository: string | null;
  readonly moved: readonly Moved[];
  /** Why something of it starts nothing, in words. */
  readonly ignored: readonly string[];
}

/** One request, with the names of its headers in small letters. */
export interface Delivery {
  header(name: string): string | undefined;
  readonly body: Buffer;
}

/** How one kind of Git server speaks. */
export interface Speaker {
  readonly name: string;
  /** How a delivery shows that its sender knows the secret: by itself in a header, or by an HMAC of the body. */
  readonly proof: { readonly kind: 'token' | 'signature'; readonly header: string };
  /**
   * Of the delivery: one of them the same when it is sent again, all others for every other event. Where the proof is a
   * signature, one is of what is signed: a header can be changed by whoever sends again what somebody else has signed.
   */
  ids(delivery: Delivery): readonly string[];
  /** Throws INVALID_ARGUMENT for a payload that is not of that server. */
  read(delivery: Delivery): Told;
}

export const branchName = z.string().min(1).max(512);
export const commitId = commitSchema;
/** What servers give as the tip of a branch that is gone. */
export const noCommit = /^0{40,64}$/;

/** A branch of that name, or undefined for a reference that is none. */
export function branchOf(ref: string): string | undefined {
  return /^refs\/heads\/(.+)$/s.exec(ref)?.[1];
}

export function firstLine(text: string | null | undefined): string | null {
  const line = text?.trim().split('\n', 1)[0]?.trim().slice(0, 200);
  return line === undefined || line === '' ? null : line;
}

export function ignoring(repository: string | null, ...ignored: string[]): Told {
  return { repository, moved: [], ignored };
}
