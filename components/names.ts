// Names that clouds bound more tightly than Pulumi's own way of naming knows.
import { createHash } from 'node:crypto';
import * as pulumi from '@pulumi/pulumi';

/** Lower-case letters, digits and hyphens, a letter first; the same in every deployment of this stack, and no other's. */
export function shortName(name: string, longest: number): string {
  const mark = markOf(name).slice(0, 6);
  return `${name
    .toLowerCase()
    .slice(0, longest - mark.length - 1)
    .replace(/-+$/, '')}-${mark}`;
}

/**
 * Lower-case letters and digits only, 22 characters, for names that all users of a cloud share: `unlike` tells what
 * makes this pool differ from everyone else's, such as a subscription.
 */
export function globalName(name: string, unlike: readonly pulumi.Input<string>[]): pulumi.Output<string> {
  return pulumi.all([...unlike]).apply((parts) => `pw${markOf(name, parts).slice(0, 20)}`);
}

/** A UUID that is the same in every deployment of this stack, and no other's. */
export function uniqueId(name: string, unlike: readonly pulumi.Input<string>[]): pulumi.Output<string> {
  return pulumi.all([...unlike]).apply((parts) => {
    const mark = markOf(name, parts);
    // RFC 9562, version 8: made of whatever its maker likes.
    return [
      mark.slice(0, 8),
      mark.slice(8, 12),
      `8${mark.slice(12, 15)}`,
      `a${mark.slice(15, 18)}`,
      mark.slice(18, 30),
    ].join('-');
  });
}

function markOf(name: string, more: readonly string[] = []): string {
  return createHash('sha256')
    .update(JSON.stringify([...more, pulumi.getProject(), pulumi.getStack(), name]))
    .digest('hex');
}
