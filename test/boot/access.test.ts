// What the role of a pool's machines on EC2 may read of the launchers, as moto judges its policy.
import { get } from 'node:http';
import aws4 from 'aws4';
import { expect, it } from 'vitest';
import { poolCredentials } from '../components/support/pool-credentials.js';
import { hasMoto, startMoto } from './support/moto.js';
import { deployPool, launcherBucket } from './support/pools.js';

const possible = hasMoto('rights of machines on EC2');

it.runIf(possible)(
  "machines of the version before read their launcher while the next one rolls out, and nothing else of anybody's",
  async () => {
    const moto = await startMoto();
    try {
      const { policy, launcherKey } = await deployPool('aws', await poolCredentials());
      const before = `launcher-x86_64-${'0'.repeat(64)}.gz`;
      const other = 'state.json';
      await moto.reset();
      await moto.createBucket(launcherBucket);
      for (const key of [launcherKey, before, other]) {
        await moto.putObject(launcherBucket, key, Buffer.from(key));
      }
      await moto.createBucket('other-bucket');
      await moto.putObject('other-bucket', before, Buffer.from(before));
      const identity = await moto.assumeRole(policy);
      await moto.checkAccess();

      const read = (bucket: string, key: string) =>
        new Promise<number | undefined>((resolve, reject) => {
          const host = `${bucket}.s3.eu-west-1.amazonaws.com`;
          const { headers } = aws4.sign(
            { host, path: `/${key}`, service: 's3', region: 'eu-west-1' },
            {
              accessKeyId: identity.AccessKeyId,
              secretAccessKey: identity.SecretAccessKey,
              sessionToken: identity.Token,
            },
          );
          const asked = {
            host: '127.0.0.1',
            port: moto.port,
            path: `/${key}`,
            headers: { ...headers, host },
          };
          get(asked, (answer) => {
            answer.resume();
            resolve(answer.statusCode);
          }).on('error', reject);
        });
      expect(await read(launcherBucket, launcherKey)).toBe(200);
      expect(await read(launcherBucket, before)).toBe(200);
      expect(await read(launcherBucket, other)).toBe(403);
      expect(await read('other-bucket', before)).toBe(403);
    } finally {
      await moto.close();
    }
  },
  120_000,
);
