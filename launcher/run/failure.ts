// What a failed step looks like for people, and its code: told from how it ended and from its last words.
import { totalmem } from 'node:os';
import { PoolwrightError } from '../../protocol/errors.js';
import type { RunUser, StepEnd } from '../executors/executor.js';

/** `lastWords`: the end of its output, as it was printed; used to look at and never shown. */
export function stepFailure(
  name: string,
  end: StepEnd,
  lastWords: string,
  user: RunUser | null,
): PoolwrightError {
  const where = 'Its output is in the log above.';
  const how =
    end.exitCode === null
      ? `was ended by ${end.signal ?? 'a signal'}`
      : `ended with exit code ${String(end.exitCode)}`;
  switch (end.cause) {
    case 'out-of-memory':
      return new PoolwrightError(
        'OUT_OF_MEMORY',
        `The step ${name} ${end.signal === 'SIGKILL' ? 'was ended by the kernel' : `${how}, and the kernel had killed a process of it,`} ` +
          `because memory ran out: the machine of this worker has ` +
          `${String(Math.round(totalmem() / 1024 ** 2))} MB for everything. Use a larger one, or let the step do less at ` +
          `a time. ${where}`,
      );
    case 'disk-full':
      return new PoolwrightError(
        'DISK_FULL',
        `The output of the step ${name} could not be written: the disk of the worker is full. Make room on it.`,
      );
    case 'vanished':
      return new PoolwrightError(
        'RUN_INTERRUPTED',
        `The run was cut off: the processes of the step ${name} are gone, and nobody saw how they ended. What they ` +
          'had changed by then stays changed; look there before you trigger it anew.',
      );
    case 'not-begun':
      return new PoolwrightError(
        'RUN_INTERRUPTED',
        `The run was cut off: the shell of the step ${name} was gone before it began, each time that it was started. Nothing ` +
          "of the step was executed. Look for what ends processes there, and whether /bin/sh starts with the run's variables.",
      );
    case 'killed':
    case 'exit':
  }
  if (end.exitCode !== 0 && (/exec format error/i.test(lastWords) || readAsScript.test(lastWords))) {
    return new PoolwrightError(
      'WRONG_ARCHITECTURE',
      `The step ${name} ${how}: a program that it starts is built for another processor architecture than this ` +
        `worker's (${process.arch}). ${where}`,
    );
  }
  if (user !== null && lacksUser(lastWords, user.id)) {
    const who = user.of === 'image' ? 'the runner image' : 'the machine of this worker';
    const id = String(user.id);
    return new PoolwrightError(
      'RUN_USER_MISSING',
      `The step ${name} ${how}: a program asked for the name of the user, and ${who} has no user with UID ${id}. Add ` +
        `one, such as "adduser -D -u ${id} spacelift" on Alpine. ${where}`,
    );
  }
  if (/no space left on device/i.test(lastWords)) {
    return new PoolwrightError(
      'DISK_FULL',
      `The step ${name} ${how}: there was no space left on a disk that it writes to. Make room on the worker, or ` +
        `on what is mounted there. ${where}`,
    );
  }
  return new PoolwrightError('COMMAND_FAILED', `The step ${name} ${how}. ${where}`);
}

/** Busybox' shell takes a program that the kernel does not know for a script, and complains of its first line. */
const readAsScript = /line 1: \x7fELF/;

/** As OpenSSH, coreutils, busybox and Python say it, with the number after it. */
const missingNumber =
  /(?:No user exists for uid|cannot find name for user ID|unknown uid|unknown userid|uid not found:) (\d+)/g;
/** As Git, sudo and Node say it. */
const missingUser = [
  'unable to look up current user in the passwd file',
  'you do not exist in the passwd database',
  'uv_os_get_passwd returned ENOENT',
];

function lacksUser(lastWords: string, user: number): boolean {
  return (
    missingUser.some((text) => lastWords.includes(text)) ||
    [...lastWords.matchAll(missingNumber)].some(([, number]) => Number(number) === user)
  );
}
