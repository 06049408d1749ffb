// A release of the launcher: what an operator signs (release-signing.ts) so that the workers of a pool take another version.
import * as z from 'zod';
import { limits } from './limits.js';

/** A launcher's version as its bundle says it. */
const versionSchema = z.string().min(1).max(128);

export const releaseSchema = z.object({
  v: z.literal(1),
  type: z.literal('launcher-release'),
  version: versionSchema,
  /** Of the bundle, hexadecimal. */
  sha256: z.string().regex(/^[0-9a-f]{64}$/, 'expected 64 hexadecimal digits'),
  /** Bytes of the bundle. */
  size: z.int().min(1).max(limits.launcherBundle),
  /**
   * Versions of the launchers as they were deployed that this release is for. A machine that is deployed with another one
   * keeps it: nobody but the signer can say which of two versions is the better one.
   */
  bases: z.array(versionSchema).min(1).max(100),
  /** Unix milliseconds. Of two releases the later one counts, and no worker goes back to an earlier one. */
  released: z.int().min(1),
});
export type LauncherRelease = z.output<typeof releaseSchema>;

/** The exact text that was signed, and an Ed25519 signature (base64) over its UTF-8 bytes. */
export const signedReleaseSchema = z.object({
  payload: z.string().max(16 * 1024),
  signature: z.string().max(128),
});
export type SignedRelease = z.output<typeof signedReleaseSchema>;
