// What EC2 tells an instance, and what the instance answers: on documents as AWS shows them, over HTTP.
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { systemClock, type Clock } from '../../../launcher/clock.js';
import type { Ask } from '../../../launcher/notices/ask.js';
import { createEc2Machine } from '../../../launcher/notices/ec2.js';
import type { CloudMachine } from '../../../launcher/notices/notice.js';
import { until } from '../support/until.js';
import {
  accessDenied,
  lifecycleCompleted,
  rebalance,
  roleCredentials,
  spotAction,
} from './support/documents.js';
import { ask } from './support/ask.js';
import { startService, type Service } from './support/service.js';
import { isSigned } from './support/signature.js';
import { watching, type Watching } from './support/watching.js';

const meta = (path: string) => `GET /latest/meta-data/${path}`;
/** As fast as the looks can be. */
const quick: Clock = { ...systemClock, after: (_wait, callback) => systemClock.after(5, callback) };
const signal = AbortSignal.timeout(60_000);

let metadata: Service;
let api: Service;
let watched: Watching | undefined;
beforeEach(async () => {
  metadata = await startService({
    'PUT /latest/api/token': 'AQAEANsession',
    [meta('instance-id')]: 'i-0abc',
    [meta('placement/region')]: 'eu-west-1',
    [meta('services/domain')]: 'amazonaws.com',
    [meta('tags/instance/aws:autoscaling:groupName')]: 'builds-workers-1a2b',
    [meta('iam/security-credentials/')]: 'workers',
    [meta('iam/security-credentials/workers')]: roleCredentials,
    [meta('autoscaling/target-lifecycle-state')]: 'InService',
  });
  api = await startService({ 'POST /': lifecycleCompleted });
});
afterEach(async () => {
  await watched?.end();
  watched = undefined;
  await Promise.all([metadata.close(), api.close()]);
});

function machine(
  changes: { ask?: Ask; apiEndpoint?: string | null; hook?: string | null } = {},
): CloudMachine {
  return createEc2Machine({
    ask: changes.ask ?? ask,
    clock: quick,
    random: () => 0,
    metadataEndpoint: metadata.url,
    apiEndpoint: changes.apiEndpoint === undefined ? api.url : changes.apiEndpoint,
    lifecycleHook: changes.hook === undefined ? 'poolwright-finish-run' : changes.hook,
  });
}
const watch = (of = machine()) => (watched = watching(of));
const called = () => api.asked.map(({ body }) => Object.fromEntries(new URLSearchParams(body)));

describe('an instance of an Auto Scaling group', () => {
  it.each(['InService', 'Standby', 'Detached', 'Warmed:Stopped'])(
    'stays where it is to be %s',
    async (state) => {
      metadata.replies.set(meta('autoscaling/target-lifecycle-state'), state);
      const own = watch();
      await own.reported(3);
      expect(own.reports.flat()).toEqual([]);
      expect(own.faults).toEqual([]);
    },
  );

  it('asks with a token of the session, and for another one when that is not known any more', async () => {
    const own = watch();
    await own.reported(2);
    const asked = metadata.asked.filter(({ method }) => method === 'GET');
    expect(new Set(asked.map(({ headers }) => headers['x-aws-ec2-metadata-token']))).toEqual(
      new Set(['AQAEANsession']),
    );
    expect(metadata.asked.filter(({ method }) => method === 'PUT')).toHaveLength(1);
    metadata.replies.set('PUT /latest/api/token', 'another');
    metadata.replies.set(meta('autoscaling/target-lifecycle-state'), ({ headers }, response) => {
      if (headers['x-aws-ec2-metadata-token'] === 'another') response.end('Terminated');
      else response.writeHead(401).end();
    });
    expect(await own.notices()).toMatchObject([{ id: 'lifecycle' }]);
    expect(own.faults).toEqual([]);
  });

  it('leaves when the group takes it out of service, and completes the hook when asked to', async () => {
    metadata.replies.set(meta('autoscaling/target-lifecycle-state'), 'Terminated');
    const [notice] = await watch().notices();
    expect(notice).toMatchObject({ kind: 'leave', deadline: null });
    await notice!.prolong!(signal);
    await notice!.acknowledge!(signal);
    const itself = {
      Version: '2011-01-01',
      AutoScalingGroupName: 'builds-workers-1a2b',
      LifecycleHookName: 'poolwright-finish-run',
      InstanceId: 'i-0abc',
    };
    expect(called()).toEqual([
      { Action: 'RecordLifecycleActionHeartbeat', ...itself },
      { Action: 'CompleteLifecycleAction', ...itself, LifecycleActionResult: 'CONTINUE' },
    ]);
    for (const request of api.asked) {
      expect(isSigned(request, 'wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY')).toBe(true);
      expect(
        isSigned({ ...request, body: `${request.body}&x=y` }, 'wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY'),
      ).toBe(false);
      expect(request.headers['x-amz-security-token']).toBe('token+of/the=session');
      expect(request.headers.authorization).toContain('/eu-west-1/autoscaling/aws4_request');
    }
  });

  it('answers nobody where the group has no hook', async () => {
    metadata.replies.set(meta('autoscaling/target-lifecycle-state'), 'Terminated');
    const [notice] = await watch(machine({ hook: null })).notices();
    expect(notice!.acknowledge).toBeUndefined();
    expect(notice!.prolong).toBeUndefined();
  });

  it('knows how long a spot instance still has, and that a rebalance recommendation has no time', async () => {
    metadata.replies.set(meta('spot/instance-action'), spotAction);
    metadata.replies.set(meta('events/recommendations/rebalance'), rebalance);
    expect(await watch().notices()).toEqual([
      {
        id: 'spot',
        what: 'EC2 takes this spot instance back (terminate at 2026-11-24T17:02:00Z)',
        kind: 'leave',
        deadline: Date.parse('2026-11-24T17:02:00Z'),
      },
      expect.objectContaining({ id: 'rebalance', kind: 'leave', deadline: null }),
    ]);
  });

  it('protects itself, and only itself', async () => {
    const { protection } = machine();
    await protection!.set(true, signal);
    await protection!.set(false, signal);
    const itself = { Action: 'SetInstanceProtection', 'InstanceIds.member.1': 'i-0abc' };
    expect(called()).toMatchObject([
      { ...itself, ProtectedFromScaleIn: 'true' },
      { ...itself, ProtectedFromScaleIn: 'false' },
    ]);
  });

  it('says why it may not', async () => {
    api.replies.set('POST /', { status: 403, text: accessDenied });
    await expect(machine().protection!.set(true, signal)).rejects.toThrow(
      /^SetInstanceProtection: AccessDenied: User: .* is not authorized to perform: autoscaling:SetInstanceProtection/,
    );
  });

  it('asks the service of its own region and partition', async () => {
    metadata.replies.set(meta('placement/region'), 'cn-north-1');
    metadata.replies.set(meta('services/domain'), 'amazonaws.com.cn');
    const urls: string[] = [];
    const recorded: Ask = (question, given) => {
      if (question.url.startsWith(metadata.url)) return ask(question, given);
      urls.push(question.url);
      return Promise.resolve({ status: 200, headers: {}, text: '' });
    };
    await machine({ ask: recorded, apiEndpoint: null }).protection!.set(true, signal);
    expect(urls).toEqual(['https://autoscaling.cn-north-1.amazonaws.com.cn/']);
  });

  it('goes on looking when the service fails for a while', async () => {
    metadata.replies.set(meta('autoscaling/target-lifecycle-state'), { status: 500, text: 'busy' });
    const own = watch();
    await until(() => own.faults.length > 0, 'a fault');
    metadata.replies.set(meta('autoscaling/target-lifecycle-state'), 'Terminated');
    expect(await own.notices()).toHaveLength(1);
    for (const fault of own.faults) expect(fault).toContain('answered HTTP 500: busy');
  });

  it('hears of an interruption also when another question is not answered, and complains of that once', async () => {
    metadata.replies.set(meta('autoscaling/target-lifecycle-state'), { status: 500, text: 'busy' });
    metadata.replies.set(meta('spot/instance-action'), spotAction);
    const own = watch();
    expect(await own.notices()).toMatchObject([{ id: 'spot' }]);
    await own.reported(5);
    expect(own.faults).toHaveLength(1);
  });

  it('takes nothing for taken back that it cannot read', async () => {
    metadata.replies.set(meta('autoscaling/target-lifecycle-state'), 'Terminated');
    const own = watch();
    await own.notices();
    metadata.replies.set(meta('autoscaling/target-lifecycle-state'), { status: 500, text: 'busy' });
    await until(() => own.faults.length > 0, 'a fault');
    const before = own.reports.length;
    await own.reported(before + 2);
    expect(own.reports.slice(before).every(([first]) => first?.id === 'lifecycle')).toBe(true);
  });

  it('counts the time of an interruption by the clock of EC2', async () => {
    const wrong = 600_000;
    metadata.replies.set(meta('spot/instance-action'), (_asked, response) => {
      response.writeHead(200, { date: new Date(Date.now() - wrong).toUTCString() }).end(spotAction);
    });
    const [notice] = await watch().notices();
    expect(Math.abs(notice!.deadline! - Date.parse('2026-11-24T17:02:00Z') - wrong)).toBeLessThan(2_000);
  });

  it('asks anew when what it got was no session token', async () => {
    metadata.replies.set('PUT /latest/api/token', '<html>\nLog in here\n</html>');
    const own = watch();
    await until(() => own.faults.length > 0, 'a fault');
    metadata.replies.set('PUT /latest/api/token', 'token\n');
    await own.reported(1);
    expect(own.faults[0]).toContain('something else than a session token');
  });

  it('does not show credentials that it cannot read', async () => {
    metadata.replies.set(meta('iam/security-credentials/workers'), roleCredentials.replace('"Token" :', ''));
    await expect(machine().protection!.set(true, signal)).rejects.toThrow(
      /^the credentials of the instance's role: expected JSON, got \d+ characters of something else$/,
    );
    metadata.replies.set(
      meta('iam/security-credentials/workers'),
      '{"AccessKeyId":"ASIA","SecretAccessKey":"geheim"}',
    );
    await expect(machine().protection!.set(true, signal)).rejects.toThrow(
      /^the credentials of the instance's role, Token: [^\n]*expected string/,
    );
  });
});
