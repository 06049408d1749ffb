// How a machine gets at its user data: by the real cloud-init, or by a unit that runs it at every start.
import type { Machine } from './machine.js';
import { unit } from './machine.js';

/** As on EC2 and Azure: cloud-init finds it beside the machine's identity and decides itself when to run it. */
export async function giveByCloudInit(machine: Machine, script: string): Promise<void> {
  await machine.put({
    '/var/lib/cloud/seed/nocloud/user-data': script,
    '/var/lib/cloud/seed/nocloud/meta-data': 'instance-id: i-0abc\n',
    // Only what has to do with user data: keys, locales and the like have nothing to do here.
    '/etc/cloud/cloud.cfg.d/99_test.cfg':
      'datasource_list: [NoCloud]\nnetwork: {config: disabled}\ncloud_init_modules: []\ncloud_config_modules: []\ncloud_final_modules: [scripts-user]\n',
  });
}

/** As Google's agent does, and faster than cloud-init. */
export async function giveAtEveryStart(machine: Machine, script: string): Promise<void> {
  await machine.put({
    '/root/user-data': script,
    ...unit(
      'test-user-data',
      '[Unit]\nDescription=User data\nWants=network-online.target\nAfter=network-online.target\n[Service]\nType=oneshot\nExecStart=/bin/bash /root/user-data\n',
      'multi-user.target',
    ),
  });
}
