// Control groups for runs on this machine, where the launcher may make them (cgroups(7)): whatever a run starts is in its
// group and stays there, whatever it does with its environment, session or parents. As user without a delegated group, or
// with a file system that cannot be written, there is none; then marks have to do (host-processes.ts).
import { mkdir, readdir, readFile, rmdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { sleep, type Clock } from '../clock.js';
import type { LauncherLife } from './executor.js';

/** Puts the process that becomes the command, and so all that come of it, into the group `$1`. */
const joinScript = `{ echo 0 >"$1/cgroup.procs"; } 2>/dev/null
shift
exec "$@"`;

/** What to start in the place of `command` (program and arguments), so that it is in the group. */
export function inGroup(group: string | null, command: readonly string[]): readonly string[] {
  return group === null ? command : ['/bin/sh', '-c', joinScript, 'join', group, ...command];
}

/** Where in the life's folder it stands below which group its runs have theirs. */
const noteFile = 'groups';
const prefix = 'poolwright.';
/** Of the first version of control groups, those that count or hold processes; any would do. */
const controllers = ['pids', 'freezer'] as const;

/** Makes the group of a run, or finds it again. `mark`: `<life>.<run>.<attempt>`. Null where none can be made. */
export async function openGroup(life: LauncherLife, mark: string): Promise<string | null> {
  const noted = await parentOf(life);
  for (const parent of noted === null ? await ownGroups() : [noted]) {
    const group = join(parent, prefix + mark);
    try {
      if (noted === null) await writeFile(join(life.folder, noteFile), parent, { mode: 0o600 });
      await mkdir(group);
      return group;
    } catch (error) {
      const code = error instanceof Error && 'code' in error ? error.code : undefined;
      if (code === 'EEXIST') return group;
      if (!refusals.has(code)) throw error;
    }
  }
  return null;
}

const refusals: ReadonlySet<unknown> = new Set(['EACCES', 'EPERM', 'EROFS', 'ENOENT']);

/** All groups that runs of a life have. */
export async function groupsOf(life: LauncherLife): Promise<string[]> {
  const parent = await parentOf(life);
  if (parent === null) return [];
  const names = await readdir(parent).catch((): string[] => []);
  return names.filter((name) => name.startsWith(`${prefix}${life.id}.`)).map((name) => join(parent, name));
}

/** Ids of the processes in a group and in those that were made below it. */
export async function membersOf(group: string): Promise<number[]> {
  const text = await readFile(join(group, 'cgroup.procs'), 'utf8').catch(() => '');
  const below = await Promise.all((await groupsBelow(group)).map(membersOf));
  return [...text.split('\n').filter(Boolean).map(Number), ...below.flat()];
}

/** When nothing runs in it any more. One that the kernel still holds is left: it costs nothing and ends nobody's run. */
export async function removeGroup(group: string, clock: Clock): Promise<void> {
  for (const below of await groupsBelow(group)) await removeGroup(below, clock);
  for (let tries = 0; tries < 10; tries += 1) {
    try {
      await rmdir(group);
      return;
    } catch (error) {
      const code = error instanceof Error && 'code' in error ? error.code : undefined;
      if (code === 'ENOENT') return;
      if (code !== 'EBUSY') throw error;
      await sleep(clock, 20);
    }
  }
}

async function groupsBelow(group: string): Promise<string[]> {
  const entries = await readdir(group, { withFileTypes: true }).catch(() => []);
  return entries.filter((entry) => entry.isDirectory()).map(({ name }) => join(group, name));
}

async function parentOf({ folder }: LauncherLife): Promise<string | null> {
  return readFile(join(folder, noteFile), 'utf8').catch(() => null);
}

/** The groups that this process is in, as folders: of the second version first. */
async function ownGroups(): Promise<string[]> {
  const [mounts, own] = await Promise.all(
    ['mountinfo', 'cgroup'].map((name) => readFile(`/proc/self/${name}`, 'utf8').catch(() => '')),
  );
  return foldersOf(mounts ?? '', own ?? '');
}

/** From the text of /proc/self/mountinfo (proc(5)) and /proc/self/cgroup (cgroups(7)). */
export function foldersOf(mounts: string, own: string): string[] {
  const mounted = mounts.split('\n').flatMap((line) => {
    const [before = '', after = ''] = line.split(' - ');
    const [, , , root = '', place = ''] = before.split(' ');
    const [type = '', , options = ''] = after.split(' ');
    return type === 'cgroup2' || type === 'cgroup'
      ? [{ type, root, place, options: options.split(',') }]
      : [];
  });
  const paths = own.split('\n').map((line) => {
    const [, names = '', ...path] = line.split(':');
    return { names: names.split(','), path: path.join(':') };
  });
  const folder = (mount: (typeof mounted)[number] | undefined, path: string | undefined): string[] => {
    if (mount === undefined || path === undefined) return [];
    const { root, place } = mount;
    // What is above the mount's root cannot be seen from here.
    const below =
      root === '/' ? path.replace(/^\/$/, '') : path.startsWith(`${root}/`) ? path.slice(root.length) : '';
    return [join(place, below)];
  };
  return [
    ...folder(
      mounted.find(({ type }) => type === 'cgroup2'),
      paths.find(({ names }) => names.length === 1 && names[0] === '')?.path,
    ),
    ...controllers.flatMap((controller) =>
      folder(
        mounted.find(({ type, options }) => type === 'cgroup' && options.includes(controller)),
        paths.find(({ names }) => names.includes(controller))?.path,
      ),
    ),
  ];
}
