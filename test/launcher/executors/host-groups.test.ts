// Where the launcher's own control groups are, as the kernel tells it.
import { expect, it } from 'vitest';
import { foldersOf } from '../../../launcher/executors/host-groups.js';

it.each([
  [
    'version 2 alone',
    '29 23 0:26 / /sys/fs/cgroup rw,nosuid shared:4 - cgroup2 cgroup2 rw,nsdelegate',
    '0::/system.slice/poolwright.service\n',
    ['/sys/fs/cgroup/system.slice/poolwright.service'],
  ],
  [
    'both versions',
    '33 23 0:28 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw\n' +
      '34 23 0:29 / /sys/fs/cgroup/pids rw - cgroup cgroup rw,pids\n' +
      '35 23 0:30 / /sys/fs/cgroup/freezer rw - cgroup cgroup rw,freezer\n',
    '7:pids:/user.slice\n6:freezer:/\n0::/user.slice/session:1\n',
    [
      '/sys/fs/cgroup/unified/user.slice/session:1',
      '/sys/fs/cgroup/pids/user.slice',
      '/sys/fs/cgroup/freezer',
    ],
  ],
  [
    'a container, which sees a part only',
    '33 23 0:28 /docker/4f2a /sys/fs/cgroup ro - cgroup2 cgroup2 rw',
    '0::/docker/4f2a/worker\n',
    ['/sys/fs/cgroup/worker'],
  ],
  ['none', '24 1 8:1 / / rw - ext4 /dev/vda rw', '0::/\n', []],
])('is found with %s', (_what, mounts, own, folders) => {
  expect(foldersOf(mounts, own)).toEqual(folders);
});
