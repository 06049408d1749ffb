// What the launcher makes of its environment, and what it says about faults in it.
import { beforeAll, describe, expect, test } from 'vitest';
import { describeVariables } from '../../../launcher/settings/help.js';
import { readSettings } from '../../../launcher/settings/read.js';
import { families } from '../../../launcher/settings/families.js';
import { variables } from '../../../launcher/settings/variables.js';
import { makePool, type TestPool } from '../support/pool.js';
import { refusal } from '../../protocol/support/refusals.js';

let pool: TestPool;
let other: TestPool;
beforeAll(async () => {
  [pool, other] = await Promise.all([makePool(), makePool()]);
});

interface Circumstances {
  now?: number;
  userId?: number;
  terminal?: boolean;
}

function read(
  environment: Record<string, string>,
  { now, userId = 1000, terminal = false }: Circumstances = {},
) {
  return readSettings({
    environment: { HOME: '/home/someone', ...pool.environment(8883), ...environment },
    now: now ?? Date.now(),
    userId,
    terminal,
  });
}

describe('settings', () => {
  test('with nothing but token and key are the documented defaults', () => {
    const { settings, warnings } = read({});
    expect(warnings).toEqual([]);
    expect(settings).toMatchObject({
      metadata: {},
      executor: 'docker',
      stateDirectory: '/home/someone/.local/state/poolwright',
      logFormat: 'json',
      endWithParent: false,
      debug: false,
      sensitiveOutputs: false,
      runLogsOnStandardOutput: false,
      timeouts: { run: 70 * 60_000, silence: 7 * 60_000 },
      passedVariables: [],
      maskedVariables: [],
      vcsMappings: [],
      containers: {
        defaultImage: 'public.ecr.aws/spacelift/runner-terraform:latest',
        network: 'bridge',
        runtime: null,
        mounts: [],
        dockerConfigDirectory: null,
      },
      cloud: {
        name: null,
        scaleInProtection: true,
        lifecycleHook: null,
        identityClientId: null,
        metadataEndpoint: null,
        apiEndpoint: null,
      },
      health: { port: null, disconnectedLimit: null },
    });
  });

  test('name the cloud of the machine and how its health is told', () => {
    const { settings } = read({
      POOLWRIGHT_CLOUD: 'aws',
      POOLWRIGHT_SCALE_IN_PROTECTION: 'false',
      POOLWRIGHT_LIFECYCLE_HOOK: 'finish-run',
      POOLWRIGHT_CLOUD_ENDPOINT: 'https://vpce-1.autoscaling.eu-west-1.vpce.amazonaws.com/',
      POOLWRIGHT_HEALTH_PORT: '8372',
      POOLWRIGHT_DISCONNECTED_TIMEOUT: '30m',
    });
    expect(settings.cloud).toMatchObject({
      name: 'aws',
      scaleInProtection: false,
      lifecycleHook: 'finish-run',
      apiEndpoint: 'https://vpce-1.autoscaling.eu-west-1.vpce.amazonaws.com',
    });
    expect(settings.health).toEqual({ port: 8372, disconnectedLimit: 30 * 60_000 });
    for (const wrong of [
      { POOLWRIGHT_CLOUD: 'alibaba' },
      { POOLWRIGHT_HEALTH_PORT: '0' },
      { POOLWRIGHT_HEALTH_PORT: '70000' },
      { POOLWRIGHT_DISCONNECTED_TIMEOUT: '0' },
      { POOLWRIGHT_METADATA_ENDPOINT: '169.254.169.254' },
    ])
      expect(refusal(() => read(wrong)).message).toContain(Object.keys(wrong)[0]);
  });

  test('take every variable of the contract', () => {
    const { settings } = read({
      SPACELIFT_DOCKER_CONFIG_DIR: '/root/.docker',
      SPACELIFT_MASK_ENVS: 'A, B,,C',
      SPACELIFT_SENSITIVE_OUTPUT_UPLOAD_ENABLED: 'T',
      SPACELIFT_RUN_LOGS_ON_STANDARD_OUTPUT_ENABLED: 'TRUE',
      SPACELIFT_WORKER_NETWORK: 'private',
      SPACELIFT_WORKER_EXTRA_MOUNTS: '/a:/b, /c d:/e',
      SPACELIFT_WORKER_RO_EXTRA_MOUNTS: '/r:/r',
      SPACELIFT_WORKER_WO_EXTRA_MOUNTS: '/w:/w',
      SPACELIFT_WORKER_RUNTIME: 'runsc',
      SPACELIFT_WHITELIST_ENVS: 'ONE,ro_TWO,wo_THREE',
      SPACELIFT_LAUNCHER_LOGS_TIMEOUT: '1000s',
      SPACELIFT_LAUNCHER_RUN_TIMEOUT: '1h30m',
      SPACELIFT_DEFAULT_RUNNER_IMAGE: 'registry.example.com/runner:1',
      SPACELIFT_DEBUG: '1',
      SPACELIFT_METADATA_instance_id: 'i-0123',
      SPACELIFT_METADATA_asg_id: 'workers',
      SPACELIFT_PRIVATEVCS_MAPPING_NAME_0: 'bitbucket_pool',
      SPACELIFT_PRIVATEVCS_MAPPING_BASE_ENDPOINT_0: 'http://192.168.2.2',
      SPACELIFT_PRIVATEVCS_MAPPING_NAME_1: 'github_pool',
      SPACELIFT_PRIVATEVCS_MAPPING_BASE_ENDPOINT_1: 'https://internal-github.net/',
      POOLWRIGHT_EXECUTOR: 'auto',
      POOLWRIGHT_STATE_DIR: '/var/tmp/state',
      POOLWRIGHT_LOG_FORMAT: 'pretty',
      POOLWRIGHT_END_WITH_PARENT: 'true',
      ONE: '1',
      TWO: '2',
      THREE: '3',
    });
    expect(settings).toMatchObject({
      metadata: { instance_id: 'i-0123', asg_id: 'workers' },
      executor: 'auto',
      stateDirectory: '/var/tmp/state',
      logFormat: 'pretty',
      endWithParent: true,
      debug: true,
      sensitiveOutputs: true,
      runLogsOnStandardOutput: true,
      timeouts: { run: 5_400_000, silence: 1_000_000 },
      passedVariables: [
        { name: 'ONE', runs: 'all' },
        { name: 'TWO', runs: 'read' },
        { name: 'THREE', runs: 'write' },
      ],
      maskedVariables: ['A', 'B', 'C'],
      vcsMappings: [
        { name: 'bitbucket_pool', baseEndpoint: 'http://192.168.2.2' },
        { name: 'github_pool', baseEndpoint: 'https://internal-github.net' },
      ],
      containers: {
        defaultImage: 'registry.example.com/runner:1',
        network: 'private',
        runtime: 'runsc',
        mounts: [
          { hostPath: '/a', containerPath: '/b', runs: 'all' },
          { hostPath: '/c d', containerPath: '/e', runs: 'all' },
          { hostPath: '/r', containerPath: '/r', runs: 'read' },
          { hostPath: '/w', containerPath: '/w', runs: 'write' },
        ],
        dockerConfigDirectory: '/root/.docker',
      },
    });
  });

  test('take an empty variable for an absent one', () => {
    const { settings } = read({ SPACELIFT_LAUNCHER_LOGS_TIMEOUT: '', SPACELIFT_WORKER_NETWORK: '' });
    expect(settings.timeouts.silence).toBe(420_000);
    expect(settings.containers.network).toBe('bridge');
  });

  test('keep state where the system keeps it for root and where XDG says for others', () => {
    expect(read({}, { userId: 0 }).settings.stateDirectory).toBe('/var/lib/poolwright');
    expect(read({ XDG_STATE_HOME: '/x' }).settings.stateDirectory).toBe('/x/poolwright');
  });

  test('log prettily on a terminal unless told otherwise', () => {
    expect(read({}, { terminal: true }).settings.logFormat).toBe('pretty');
    expect(read({ POOLWRIGHT_LOG_FORMAT: 'json' }, { terminal: true }).settings.logFormat).toBe('json');
  });
});

const wrong: readonly [string, string, RegExp][] = [
  ['SPACELIFT_DEBUG', 'yes', /true or false/],
  ['SPACELIFT_WORKER_EXTRA_MOUNTS', '/a', /\/host\/path:\/container\/path/],
  ['SPACELIFT_WORKER_EXTRA_MOUNTS', 'a:/b', /\/host\/path:\/container\/path/],
  ['SPACELIFT_WORKER_RO_EXTRA_MOUNTS', '/a:/b:ro', /\/host\/path:\/container\/path/],
  ['SPACELIFT_WORKER_WO_EXTRA_MOUNTS', '/a:/', /root/],
  ['SPACELIFT_WORKER_EXTRA_MOUNTS', '/a:/c,/b:/c', /two mounts/],
  ['SPACELIFT_WORKER_EXTRA_MOUNTS', '/a:/c,/b:/c/', /two mounts/],
  ['SPACELIFT_WORKER_EXTRA_MOUNTS', '/a:/mnt/workspace/source', /their own files/],
  ['POOLWRIGHT_METADATA_ENDPOINT', 'http://user:geheim@host', /without user or password/],
  ['SPACELIFT_WHITELIST_ENVS', 'A-B', /names of environment variables/],
  ['SPACELIFT_WHITELIST_ENVS', 'ro_', /names of environment variables/],
  ['SPACELIFT_WHITELIST_ENVS', 'wo_SPACELIFT_POOL_PRIVATE_KEY', /must not be passed/],
  ['SPACELIFT_MASK_ENVS', '1A', /names of environment variables/],
  ['SPACELIFT_LAUNCHER_LOGS_TIMEOUT', '7', /has no unit/],
  ['SPACELIFT_LAUNCHER_RUN_TIMEOUT', '0', /longer than 0/],
  ['SPACELIFT_DOCKER_CONFIG_DIR', 'docker', /absolute path/],
  ['SPACELIFT_WORKER_NETWORK', 'two words', /one word/],
  ['SPACELIFT_DEFAULT_RUNNER_IMAGE', 'a b', /one word/],
  ['SPACELIFT_METADATA_', 'x', /a key/],
  ['SPACELIFT_METADATA_long', 'x'.repeat(1025), /longer than 1024/],
  ['SPACELIFT_PRIVATEVCS_MAPPING_NAME_x', 'a', /expected a number/],
  ['POOLWRIGHT_EXECUTOR', 'podman', /docker, host, auto/],
  ['POOLWRIGHT_LOG_FORMAT', 'xml', /json, pretty/],
  ['POOLWRIGHT_STATE_DIR', './state', /absolute path/],
];

describe('faults', () => {
  test.each(['RO', 'WO'])('of mounts that meet only in one kind of run (%s) are named', (kind) => {
    const mounts = {
      SPACELIFT_WORKER_EXTRA_MOUNTS: '/a:/x',
      [`SPACELIFT_WORKER_${kind}_EXTRA_MOUNTS`]: '/b:/x',
    };
    const { message } = refusal(() => read(mounts));
    expect(message).toContain(`SPACELIFT_WORKER_${kind}_EXTRA_MOUNTS`);
    expect(message).toContain('SPACELIFT_WORKER_EXTRA_MOUNTS has a mount to "/x", too');
    // The same place for read runs and for write runs is no fault.
    read({ SPACELIFT_WORKER_RO_EXTRA_MOUNTS: '/a:/x', SPACELIFT_WORKER_WO_EXTRA_MOUNTS: '/b:/x' });
  });

  test('in an address do not show the password that is in it', () => {
    const { message } = refusal(() =>
      read({
        SPACELIFT_PRIVATEVCS_MAPPING_NAME_0: 'internal',
        SPACELIFT_PRIVATEVCS_MAPPING_BASE_ENDPOINT_0: 'https://user:geheim@git.internal',
        POOLWRIGHT_CLOUD_ENDPOINT: 'https://user:geheim@cloud.internal',
      }),
    );
    expect(message).toContain('SPACELIFT_PRIVATEVCS_MAPPING_BASE_ENDPOINT_0');
    expect(message).toContain('POOLWRIGHT_CLOUD_ENDPOINT');
    expect(message).not.toContain('geheim');
  });

  test.each(wrong)('%s=%j is named with its reason', (name, value, reason) => {
    const error = refusal(() => read({ [name]: value }));
    expect(error.code).toBe('INVALID_SETTINGS');
    expect(error.message).toContain(name);
    expect(error.message).toMatch(reason);
  });

  test('are all said at once', () => {
    const error = refusal(() =>
      readSettings({
        environment: {
          SPACELIFT_DEBUG: 'yes',
          SPACELIFT_LAUNCHER_RUN_TIMEOUT: 'long',
          POOLWRIGHT_EXECUTOR: 'x',
        },
        now: Date.now(),
        userId: 0,
        terminal: false,
      }),
    );
    expect(error.message).toContain('5 faults');
    for (const name of [
      'SPACELIFT_TOKEN',
      'SPACELIFT_POOL_PRIVATE_KEY',
      'SPACELIFT_DEBUG',
      'RUN_TIMEOUT',
      'EXECUTOR',
    ]) {
      expect(error.message).toContain(name);
    }
  });

  test('never show the token or the key, whichever variable they are in', () => {
    const { SPACELIFT_TOKEN: token = '', SPACELIFT_POOL_PRIVATE_KEY: key = '' } = pool.environment(8883);
    for (const { name } of Object.values(variables)) {
      for (const [secret, given] of [
        [key, { [name]: key }],
        [token, { [name]: token }],
        [pool.privateKey, { [name]: pool.privateKey }],
      ] as const) {
        let message = '';
        try {
          read(given);
        } catch (error) {
          message = String(error);
        }
        for (const part of [secret.slice(0, 100), secret.slice(200, 260)])
          expect(message).not.toContain(part);
      }
    }
  });

  test('of a key that belongs to another pool say so', () => {
    const error = refusal(() =>
      read({ SPACELIFT_POOL_PRIVATE_KEY: other.environment(1)['SPACELIFT_POOL_PRIVATE_KEY']! }),
    );
    expect(error.message).toContain(
      'SPACELIFT_POOL_PRIVATE_KEY: The private key does not belong to the certificate',
    );
  });

  test('of a certificate that ended say when, and of one that is to come warn only', () => {
    const century = 100 * 365 * 24 * 3_600_000;
    expect(refusal(() => read({}, { now: Date.now() + century })).message).toContain('ended at');
    const { warnings } = read({}, { now: Date.now() - century });
    expect(warnings.join()).toContain('clock');
  });

  test('of mappings name the missing half and the gap', () => {
    const name = 'SPACELIFT_PRIVATEVCS_MAPPING_NAME_';
    const endpoint = 'SPACELIFT_PRIVATEVCS_MAPPING_BASE_ENDPOINT_';
    expect(refusal(() => read({ [`${name}0`]: 'a' })).message).toContain(`${endpoint}0: missing`);
    expect(refusal(() => read({ [`${endpoint}0`]: 'http://a' })).message).toContain(`${name}0: missing`);
    const gap = {
      [`${name}0`]: 'a',
      [`${endpoint}0`]: 'http://a',
      [`${name}2`]: 'b',
      [`${endpoint}2`]: 'http://b',
    };
    expect(refusal(() => read(gap)).message).toContain(`${name}1: missing, though mapping 2 is there`);
    const bare = { [`${name}0`]: 'a', [`${endpoint}0`]: 'git.internal' };
    expect(refusal(() => read(bare)).message).toContain('address with protocol');
  });
});

describe('what has no effect', () => {
  test('is said', () => {
    expect(read({ SPACELIFT_WORKER_NETWROK: 'x' }).warnings.join()).toContain('SPACELIFT_WORKER_NETWROK');
    expect(read({ SPACELIFT_WHITELIST_ENVS: 'ABSENT' }).warnings.join()).toContain('ABSENT');
  });
});

describe('help', () => {
  test('has every variable with its default, in 100 columns', () => {
    const text = describeVariables();
    for (const { name } of [...Object.values(variables), ...Object.values(families)])
      expect(text).toContain(`  ${name}\n`);
    expect(text).toContain('Default: 70m.');
    expect(text).toContain('Required.');
    expect(Math.max(...text.split('\n').map((line) => line.length))).toBeLessThanOrEqual(100);
  });
});
