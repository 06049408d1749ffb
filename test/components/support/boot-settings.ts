// Settings of boot scripts: the least, and every option with values as long as they come.
import type { BootSettings } from '../../../components/bootstrap/settings.js';
import { launcherEnvironment } from '../../../components/launcher-environment.js';
import type { Cloud } from '../../../components/machines.js';

export function minimal(cloud: Cloud): BootSettings {
  return {
    cloud,
    launcher: {
      distribution: 'bundled',
      version: '0123456789abcdef',
      url: 'https://bucket.s3.eu-west-1.amazonaws.com/launcher.gz',
      sha256: 'ab'.repeat(32),
    },
    credentials: 'arn:aws:secretsmanager:eu-west-1:123456789012:secret:pool-AbCdEf',
    credentialsVersion: '1',
    startupScript: null,
    environment: {},
    policy: null,
    runAs: 'spacelift',
    powerOff: true,
    proxy: null,
    extraCaCertificates: [],
    registries: [],
    blockMetadata: true,
    stopSeconds: 4500,
    life: null,
  };
}

export function everyOption(cloud: Cloud): BootSettings {
  return {
    ...minimal(cloud),
    startupScript: 'arn:aws:secretsmanager:eu-west-1:123456789012:secret:startup-AbCdEf',
    environment: launcherEnvironment({
      dockerConfigDir: '/opt/docker-config',
      maskEnvs: ['DATABASE_PASSWORD', 'API_KEY'],
      sensitiveOutputUploadEnabled: true,
      runLogsOnStandardOutputEnabled: true,
      workerNetwork: 'runs',
      workerExtraMounts: ['/srv/cache:/cache', '/srv/plugins:/plugins'],
      workerRoExtraMounts: ['/srv/read:/data'],
      workerWoExtraMounts: ['/srv/write:/data'],
      workerRuntime: 'runsc',
      whitelistEnvs: ['REGION', 'ro_PLAN_ROLE', 'wo_APPLY_ROLE'],
      logsTimeout: '10m',
      runTimeout: '1h30m',
      defaultRunnerImage: 'registry.example.com/team/runner-with-all-tools:2026-11',
      debug: true,
      metadata: { team: 'platform', cost_centre: '4711' },
      privateVcsMappings: [
        { name: 'internal', baseEndpoint: 'https://git.internal' },
        { name: 'partner', baseEndpoint: 'https://git.partner.example' },
      ],
      environment: { REGION: 'eu-west-1', PLAN_ROLE: 'plan', APPLY_ROLE: 'apply' },
    }),
    policy: `package spacelift\n\n${'deny["images of other registries are not allowed"] { not startswith(input.request.run.runner_image, "registry.example.com/") }\n'.repeat(10)}`,
    runAs: 'root',
    powerOff: false,
    proxy: {
      http: 'http://proxy.internal:3128',
      https: 'http://proxy.internal:3128',
      no: ['.internal', '10.0.0.0/8'],
    },
    extraCaCertificates: [certificate(1), certificate(2)],
    registries: ['eu-west-1', 'us-east-1'].map((region) => `123456789012.dkr.ecr.${region}.amazonaws.com`),
    blockMetadata: false,
    identityClientId: '00000000-0000-0000-0000-000000000000',
    life: {
      disconnectedTimeout: '45m',
      lifecycleHook: 'poolwright-finish-run',
      scaleInProtection: false,
      healthPort: 8372,
      replacedByHealth: true,
    },
  };
}

/** As long as an RSA-4096 certificate, and as little to be compressed. */
function certificate(seed: number): string {
  let state = seed;
  const bytes = Buffer.from(
    Array.from({ length: 1400 }, () => {
      state = (state * 1_103_515_245 + 12_345) % 2_147_483_648;
      return state >> 16;
    }),
  );
  const lines = bytes
    .toString('base64')
    .match(/.{1,64}/g)!
    .join('\n');
  return `-----BEGIN CERTIFICATE-----\n${lines}\n-----END CERTIFICATE-----\n`;
}
