import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { describe, expect, it } from 'vitest';

const root = fileURLToPath(new URL('../..', import.meta.url));
const preview = (...words: string[]) =>
  promisify(execFile)(process.execPath, ['scripts/preview.mjs', ...words], { cwd: root });

interface Shown {
  readonly component: string;
  readonly resources: readonly { readonly type: string; readonly name: string }[];
  readonly script: string;
}

describe('npm run preview', () => {
  it.each([
    ['aws', 'aws:ec2/launchTemplate:LaunchTemplate'],
    ['azure', 'azure-native:compute:VirtualMachineScaleSet'],
    ['google', 'gcp:compute/instanceTemplate:InstanceTemplate'],
  ])(
    'shows what a pool on %s is made of, and the script of its machines',
    async (cloud, type) => {
      const { stdout, stderr } = await preview(cloud, '--json');
      const [shown] = JSON.parse(stdout) as [Shown];
      expect(shown.resources.map((resource) => resource.type)).toContain(type);
      expect(shown.script).toContain('#!/bin/bash');
      expect(stderr).not.toContain('warning: [runtime]');
    },
    60_000,
  );

  it('says what it expects', async () => {
    await expect(preview('moon')).rejects.toMatchObject({
      code: 2,
      stderr: expect.stringContaining('got moon') as string,
    });
  });
});
