// The three calls to EC2 Auto Scaling that a worker makes about itself, signed with the instance's own role.
// Source: https://docs.aws.amazon.com/autoscaling/ec2/APIReference/Welcome.html
import aws4 from 'aws4';
import * as z from 'zod';
import type { Ask } from './ask.js';
import { readDocument } from './document.js';
import type { Ec2Metadata } from './ec2-metadata.js';
import { RefusedError } from './notice.js';

export type AutoScalingCall =
  'CompleteLifecycleAction' | 'RecordLifecycleActionHeartbeat' | 'SetInstanceProtection';

/** Rejects with what the service says, such as "AccessDenied: …". */
export type AutoScaling = (
  call: AutoScalingCall,
  parameters: Readonly<Record<string, string>>,
  signal: AbortSignal,
) => Promise<void>;

const identitySchema = z.object({ AccessKeyId: z.string(), SecretAccessKey: z.string(), Token: z.string() });
const version = '2011-01-01';
/** Milliseconds for connection and answer, by way of a proxy perhaps. */
const patience = 20_000;

/** `endpoint`: with protocol; null for the region's own. */
export function createAutoScaling({
  metadata,
  ask,
  endpoint,
}: {
  readonly metadata: Ec2Metadata;
  readonly ask: Ask;
  readonly endpoint: string | null;
}): AutoScaling {
  return async (call, parameters, signal) => {
    const region = await metadata.need('placement/region', signal);
    const domain = await metadata.need('services/domain', signal);
    const url = new URL(endpoint ?? `https://autoscaling.${region}.${domain}`);
    const body = new URLSearchParams({ Action: call, Version: version, ...parameters }).toString();
    // Read anew for each call: they are few, and credentials change every few hours.
    const role = await metadata.need('iam/security-credentials/', signal);
    const text = await metadata.need(`iam/security-credentials/${role.trim()}`, signal);
    const identity = readDocument(identitySchema, text, "the credentials of the instance's role");
    const { headers = {} } = aws4.sign(
      {
        host: url.host,
        method: 'POST',
        path: '/',
        service: 'autoscaling',
        region,
        headers: { 'content-type': 'application/x-www-form-urlencoded; charset=utf-8' },
        body,
      },
      {
        accessKeyId: identity.AccessKeyId,
        secretAccessKey: identity.SecretAccessKey,
        sessionToken: identity.Token,
      },
    );
    const own = Object.entries(headers).map(([name, value]) => [name, String(value)]);
    const answer = await ask(
      {
        method: 'POST',
        url: `${url.origin}/`,
        headers: Object.fromEntries(own) as Record<string, string>,
        body,
        timeout: patience,
      },
      signal,
    );
    if (answer.status === 200) return;
    const reason = `${call}: ${reasonOf(answer.status, answer.text)}`;
    throw answer.status < 500 ? new RefusedError(reason) : new Error(reason);
  };
}

/** Errors come as XML with one code and one message. */
function reasonOf(status: number, text: string): string {
  const part = (name: string) => new RegExp(`<${name}>([^<]*)</${name}>`).exec(text)?.[1]?.trim();
  const code = part('Code');
  return code === undefined ? `HTTP ${String(status)}` : `${code}: ${part('Message') ?? ''}`.slice(0, 400);
}
