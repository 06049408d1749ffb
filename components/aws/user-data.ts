// User data of a pool's machines as EC2 takes it.
import { promisify } from 'node:util';
import { gzip } from 'node:zlib';
import * as pulumi from '@pulumi/pulumi';

/** The bound of EC2 on user data before base64, in bytes. */
const userDataLimit = 16_384;

/**
 * Compressed, in base64: the machine's own first program unpacks it. Meanwhile other resources are registered. Throws when it
 * is longer than EC2 takes.
 */
export async function compressed(script: string): Promise<string> {
  const bytes = await promisify(gzip)(script, { level: 9 });
  // The deployer's operating system (RFC 1952, "OS"): unknown, or the pool would roll when deployers alternate.
  bytes[9] = 0xff;
  if (bytes.length <= userDataLimit) return bytes.toString('base64');
  throw new pulumi.InputPropertyError({
    propertyPath: 'launcher',
    reason:
      `the boot script has ${String(bytes.length)} bytes compressed, and EC2 takes ${String(userDataLimit)}. ` +
      'Move what is long (policies, certificates, variables) into startupScript',
  });
}
