// Whether this machine can have a kind of fleet.
import { mkdtempSync, rmdirSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { existsSync } from 'node:fs';
import { mosquittoIsThere } from '../../support/mosquitto.js';
import { busybox } from '../../support/runner-image.js';
import { engineIsThere } from './engine.js';
import { canMount, fakeTimeLibrary } from './machine.js';
import type { FleetKind } from './schedule.js';

/** What it lacks for that, for people; undefined when it lacks nothing. */
export function lackingFor(kind: FleetKind): string | undefined {
  switch (kind) {
    case 'host':
      return undefined;
    case 'machines':
      if (fakeTimeLibrary() === undefined) return 'libfaketime (Debian: libfaketime)';
      return mayMount() ? undefined : 'the right to mount (root)';
    case 'broker':
      return mosquittoIsThere ? undefined : 'mosquitto (Debian: mosquitto)';
    case 'containers':
      if (!engineIsThere()) return 'dockerd and docker (Debian: docker.io)';
      if (!existsSync(busybox)) return 'a static busybox (Debian: busybox-static)';
      return mayMount() ? undefined : 'the right to mount (root)';
  }
}

function mayMount(): boolean {
  const folder = mkdtempSync(join(tmpdir(), 'poolwright-mount-'));
  try {
    return canMount(folder);
  } finally {
    rmdirSync(folder);
  }
}
