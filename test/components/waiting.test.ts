// waitForWorkers: what counts as ready, when it gives up and what it says then; asked of a real control plane.
import { gunzipSync } from 'node:zlib';
import * as pulumi from '@pulumi/pulumi';
import { describe, expect, it } from 'vitest';
import { Ec2WorkerPool } from '../../components/ec2-worker-pool.js';
import { missingOnEc2 } from '../../components/aws/missing.js';
import { missingOnGoogle } from '../../components/google/missing.js';
import type { WaitForWorkers } from '../../components/arguments.js';
import { checkWaiting } from '../../components/waiting/check.js';
import { waitForWorkers, type Wait } from '../../components/waiting/wait.js';
import { Refused, workersOf, type KnownWorker } from '../../components/waiting/workers.js';
import type { Fault } from '../../protocol/errors.js';
import { startControlPlane } from '../support/control-plane.js';
import { temporaryFolder } from '../support/temporary.js';
import { aws } from './support/aws.js';
import { deploy, valueOf } from './support/deployment.js';

const worker = (id: string, deployment: string, more: Partial<KnownWorker> = {}): KnownWorker => ({
  id,
  busy: false,
  drained: false,
  metadata: { deployment, instance_id: `i-${id}` },
  ...more,
});

/** A wait whose clock is moved by its own sleeping; `answers` come one after the other, the last again and again. */
function waiting(answers: readonly (readonly KnownWorker[] | Error)[], more: Partial<Wait> = {}) {
  let time = 0;
  let asked = 0;
  const said: string[] = [];
  const done = waitForWorkers({
    count: 2,
    counts: ({ metadata }) => metadata['deployment'] === 'new',
    milliseconds: 60_000,
    ask: () => {
      const answer = answers[Math.min(asked, answers.length - 1)]!;
      asked += 1;
      return answer instanceof Error ? Promise.reject(answer) : Promise.resolve(answer);
    },
    say: (line) => void said.push(line),
    explain: (ready) => Promise.resolve([`explained beside ${ready.map(({ id }) => id).join()}`]),
    now: () => time,
    sleep: (milliseconds) => {
      time += milliseconds;
      return Promise.resolve();
    },
    ...more,
  });
  return { done, said, asked: () => asked };
}

/** The deployment's mark in a boot script as EC2 gets it. */
function markIn(userData: string): string {
  const script = gunzipSync(Buffer.from(userData, 'base64')).toString();
  return /SPACELIFT_METADATA_deployment='?([0-9a-f]{12})/.exec(script)?.[1] ?? 'none';
}

describe('waiting for workers', () => {
  it('counts workers of this deployment, also those that have a run by now, and none that are drained', async () => {
    const old = [worker('a', 'old'), worker('b', 'old')];
    const { done, said, asked } = waiting([
      old,
      [...old, worker('c', 'new'), worker('d', 'new', { drained: true })],
      new Error('away'),
      [...old, worker('c', 'new', { busy: true }), worker('e', 'new')],
    ]);
    await done;
    expect(asked()).toBe(4);
    expect(said).toEqual([
      '0 of 2 workers are ready',
      '1 of 2 workers are ready',
      '0 of 2 workers are ready; the control plane could not be asked: away',
    ]);
  });

  it('gives up when the time is over, with what the cloud knows', async () => {
    await expect(waiting([[worker('c', 'new')]]).done).rejects.toThrow(
      'waitForWorkers: after 1 minutes 1 of 2 workers are ready\nexplained beside c',
    );
    const silent = waiting([[]], { explain: () => Promise.reject(new Error('no rights')) });
    await expect(silent.done).rejects.toThrow(/the cloud could not be asked for its machines: no rights/);
  });

  it('gives up at once when the control plane refuses', async () => {
    const { done, asked } = waiting([new Refused('INVALID_ARGUMENT', 'unauthorized')]);
    await expect(done).rejects.toThrow('unauthorized');
    expect(asked()).toBe(1);
  });

  it('asks a real control plane, and lets a deployment end when its worker is there', async () => {
    const plane = await startControlPlane(await temporaryFolder(), { launchers: 0 });
    try {
      const access = {
        endpoint: `${plane.url}/`,
        apiKeyId: plane.key.id,
        apiKeySecret: plane.key.secret,
        workerPool: plane.pool,
      };
      expect(await workersOf(access, fetch)).toEqual([]);
      await expect(workersOf({ ...access, apiKeySecret: 'wrong' }, fetch)).rejects.toThrow(Refused);
      await expect(workersOf({ ...access, workerPool: '01ARZ3NDEKTSV4RRFFQ69G5FAV' }, fetch)).rejects.toThrow(
        /waitForWorkers\.workerPool: the control plane has no pool/,
      );

      let pool: Ec2WorkerPool | undefined;
      let tell: (mark: string) => void;
      const mark = new Promise<string>((resolve) => (tell = resolve));
      const { token, privateKey } = plane;
      let ended = false;
      const deployed = deploy(
        () => {
          pool = new Ec2WorkerPool('builds', {
            token,
            privateKey,
            subnetIds: ['subnet-1'],
            waitForWorkers: { ...access, apiKeySecret: pulumi.secret(access.apiKeySecret), count: 1 },
          });
        },
        {
          ...aws,
          states: (type, name, inputs) => {
            if (type.endsWith(':LaunchTemplate')) tell(markIn(inputs['userData'] as string));
            return aws.states(type, name, inputs);
          },
        },
      ).then(() => (ended = true));
      await plane.startLauncher({ SPACELIFT_METADATA_deployment: 'of-another' });
      await plane.idle(1);
      expect(ended).toBe(false);
      await plane.startLauncher({ SPACELIFT_METADATA_deployment: await mark });
      await deployed;
      expect(await valueOf(pool!.groupName)).toEqual({ value: 'builds-workers-g', secret: false });
    } finally {
      await plane.close();
    }
  }, 120_000);
});

describe('the argument', () => {
  it('is refused with what is wrong or missing', () => {
    const faults: Fault[] = [];
    const given = { count: 4, endpoint: 'plane', apiKeyId: 'a', timeoutMinutes: 0 };
    checkWaiting(given as WaitForWorkers, given, 3, faults);
    expect(faults.map(({ path }) => path).sort()).toEqual([
      'waitForWorkers.apiKeySecret',
      'waitForWorkers.count',
      'waitForWorkers.endpoint',
      'waitForWorkers.timeoutMinutes',
      'waitForWorkers.workerPool',
    ]);
  });
});

describe('machines that did not become workers', () => {
  it('are named with the command that shows their last line on EC2', async () => {
    const answers = () => ({ ids: ['i-c', 'i-x'] });
    let lines: readonly string[] = [];
    await deploy(
      async () => {
        lines = await missingOnEc2('group', 'eu-west-1', [worker('c', 'new')], {});
      },
      { ...aws, answers },
    );
    expect(lines).toEqual([
      expect.stringMatching(/^i-x is not a worker.*get-console-output.*--instance-id i-x/),
    ]);
  });

  it('are named with their last line on Google Cloud', async () => {
    const places = ['up', 'down'].map((name) => `https://compute/projects/p/zones/r-a/instances/${name}`);
    const ready = worker('c', 'new', { metadata: { gcp_instance_id: 'projects/p/zones/r-a/instances/up' } });
    let lines: readonly string[] = [];
    await deploy(
      async () => {
        lines = await missingOnGoogle('projects/p/regions/r/instanceGroupManagers/g', [ready], {});
      },
      {
        ...aws,
        answers: (token) =>
          token.endsWith(':getRegionInstanceGroup')
            ? { instances: places.map((instance) => ({ instance })) }
            : {
                contents:
                  'kernel\npoolwright: step 5 of 7\npoolwright: failed: wrong SHA-256\nsystemd: off\n',
              },
      },
    );
    expect(lines).toEqual(['down is not a worker of this deployment: poolwright: failed: wrong SHA-256']);
  });
});
