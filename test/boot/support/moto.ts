// moto, an emulator of AWS: S3, Secrets Manager, Auto Scaling, IAM and STS. It checks signatures and what a role's policy
// permits.
import { existsSync } from 'node:fs';
import { request } from 'node:http';
import { resolve } from 'node:path';
import { text } from 'node:stream/consumers';
import { available } from '../../support/skips.js';
import { startProgram } from './program.js';

const program = resolve('.tools/venv/bin/moto_server');
const region = 'eu-west-1';

export const hasMoto = (what: string) =>
  available(what, existsSync(program), `no ${program} (npm run test:tools brings it)`);

export interface InstanceIdentity {
  readonly AccessKeyId: string;
  readonly SecretAccessKey: string;
  readonly Token: string;
}

export interface Moto {
  readonly port: number;
  /** Forgets everything; until `checkAccess` everyone may do everything. */
  reset(): Promise<void>;
  checkAccess(): Promise<void>;
  /** Gives its ARN. */
  createSecret(name: string, value: string): Promise<string>;
  createBucket(bucket: string): Promise<void>;
  putObject(bucket: string, key: string, body: Buffer): Promise<void>;
  /** An Auto Scaling group of one instance, whose id it gives. */
  createGroup(name: string): Promise<string>;
  /** Whether this instance of a group is protected from scale-in. */
  isProtected(instance: string): Promise<boolean>;
  /** Credentials of a role with this policy, as an instance has them. */
  assumeRole(policy: string): Promise<InstanceIdentity>;
  close(): Promise<void>;
}

export async function startMoto(): Promise<Moto> {
  const emulator = await startProgram(
    program,
    (free) => ['-H', '127.0.0.1', '-p', String(free)],
    {},
    async (free) => (await fetch(`http://127.0.0.1:${String(free)}/moto-api/data.json`)).ok,
  );

  const { port } = emulator;

  async function own(path: string, body = ''): Promise<void> {
    const answer = await fetch(`http://127.0.0.1:${String(port)}${path}`, { method: 'POST', body });
    if (!answer.ok) throw new Error(`moto answered ${String(answer.status)} to ${path}`);
  }

  /** Nobody checks this signature: access is checked later. It names the service that is meant. */
  async function call(
    service: string,
    host: string,
    options: { method: string; path?: string; headers?: Record<string, string>; body: string | Buffer },
  ): Promise<string> {
    const sent = request({
      host: '127.0.0.1',
      port,
      method: options.method,
      path: options.path ?? '/',
      headers: {
        host,
        authorization: `AWS4-HMAC-SHA256 Credential=setup/20260101/${region}/${service}/aws4_request, SignedHeaders=host, Signature=none`,
        ...options.headers,
      },
    });
    const answered = new Promise<string>((resolve, reject) => {
      sent.on('error', reject);
      sent.on('response', (response) => {
        text(response).then((body) => {
          if ((response.statusCode ?? 500) < 300) resolve(body);
          else reject(new Error(`moto answered ${String(response.statusCode)}: ${body}`));
        }, reject);
      });
    });
    sent.end(options.body);
    return answered;
  }

  const query = (host: string, parameters: Record<string, string>) =>
    call(host.split('.')[0] ?? '', `${host}.amazonaws.com`, {
      method: 'POST',
      headers: { 'content-type': 'application/x-www-form-urlencoded' },
      body: new URLSearchParams(parameters).toString(),
    });

  const value = (answer: string, name: string) => {
    const found = new RegExp(`<${name}>([^<]+)</${name}>`).exec(answer)?.[1];
    if (found === undefined) throw new Error(`moto gave no ${name}`);
    return found;
  };

  return {
    port,
    close: () => emulator.close(),
    async reset() {
      await own('/moto-api/reset-auth', 'inf');
      await own('/moto-api/reset');
    },
    checkAccess: () => own('/moto-api/reset-auth', '0'),
    async createSecret(name, value) {
      const answer = await call('secretsmanager', `secretsmanager.${region}.amazonaws.com`, {
        method: 'POST',
        headers: {
          'content-type': 'application/x-amz-json-1.1',
          'x-amz-target': 'secretsmanager.CreateSecret',
        },
        body: JSON.stringify({ Name: name, SecretString: value, ClientRequestToken: 'a'.repeat(32) }),
      });
      return (JSON.parse(answer) as { ARN: string }).ARN;
    },
    async createBucket(bucket) {
      await call('s3', `${bucket}.s3.${region}.amazonaws.com`, {
        method: 'PUT',
        body: `<CreateBucketConfiguration><LocationConstraint>${region}</LocationConstraint></CreateBucketConfiguration>`,
      });
    },
    async putObject(bucket, key, body) {
      await call('s3', `${bucket}.s3.${region}.amazonaws.com`, {
        method: 'PUT',
        path: `/${key}`,
        headers: { 'content-length': String(body.length) },
        body,
      });
    },
    async createGroup(name) {
      const scaling = (parameters: Record<string, string>) => query(`autoscaling.${region}`, parameters);
      await scaling({
        Action: 'CreateLaunchConfiguration',
        LaunchConfigurationName: name,
        ImageId: 'ami-0def',
        InstanceType: 't3.small',
      });
      await scaling({
        Action: 'CreateAutoScalingGroup',
        AutoScalingGroupName: name,
        LaunchConfigurationName: name,
        MinSize: '1',
        MaxSize: '1',
        'AvailabilityZones.member.1': `${region}a`,
      });
      return value(await scaling({ Action: 'DescribeAutoScalingInstances' }), 'InstanceId');
    },
    async isProtected(instance) {
      // For the moment of this question, as nobody's rights are checked.
      await own('/moto-api/reset-auth', 'inf');
      const answer = await query(`autoscaling.${region}`, {
        Action: 'DescribeAutoScalingInstances',
        'InstanceIds.member.1': instance,
      });
      await own('/moto-api/reset-auth', '0');
      return value(answer, 'ProtectedFromScaleIn') === 'true';
    },
    async assumeRole(policy) {
      const trust = JSON.stringify({ Version: '2012-10-17', Statement: [] });
      await query('iam', { Action: 'CreateRole', RoleName: 'workers', AssumeRolePolicyDocument: trust });
      await query('iam', {
        Action: 'PutRolePolicy',
        RoleName: 'workers',
        PolicyName: 'read',
        PolicyDocument: policy,
      });
      const answer = await query('sts', {
        Action: 'AssumeRole',
        RoleArn: 'arn:aws:iam::123456789012:role/workers',
        RoleSessionName: 'i-0abc',
      });
      return {
        AccessKeyId: value(answer, 'AccessKeyId'),
        SecretAccessKey: value(answer, 'SecretAccessKey'),
        Token: value(answer, 'SessionToken'),
      };
    },
  };
}
