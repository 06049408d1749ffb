// One call of the machine's git program, with nothing of the machine's configuration. It leads a process group and has the
// run's mark: the helpers that it starts for the network end with it, and a launcher that comes after this one finds them.
import { spawn } from 'node:child_process';
import { systemClock } from '../../clock.js';
import { killTraced, markVariable } from '../../executors/host-processes.js';
import { proxyEnvironment } from '../../network/proxies.js';
import type { SourceRequest } from './source.js';

export interface GitEnd {
  /** Null when a signal ended it. */
  readonly code: number | null;
  /** Standard output. */
  readonly answer: string;
  /** The end of its own words, for errors, with what it says of its progress. */
  readonly words: string;
}

/** Characters of git's own words that are kept: what it says of its progress is among them. */
const kept = 4000;

/**
 * `authorities`: see gitAuthorities. Throws the system's error when it cannot be started, or the signal's reason: then
 * nothing of it is left.
 */
export async function startGit(
  args: readonly string[],
  request: Pick<
    SourceRequest,
    'folder' | 'scratch' | 'mark' | 'proxies' | 'environment' | 'onProgress' | 'signal'
  >,
  authorities: Readonly<Record<string, string>>,
): Promise<GitEnd> {
  const { folder, scratch, mark, proxies, environment, onProgress, signal } = request;
  signal.throwIfAborted();
  // Nothing goes on in the background.
  const settings = ['core.hooksPath=/dev/null', 'advice.detachedHead=false', 'gc.auto=0'];
  const child = spawn('git', [...settings.flatMap((setting) => ['-c', setting]), ...args], {
    cwd: folder,
    stdio: ['ignore', 'pipe', 'pipe'],
    detached: true,
    env: {
      PATH: environment['PATH'],
      HOME: scratch,
      LANG: 'C.UTF-8',
      SSH_AUTH_SOCK: environment['SSH_AUTH_SOCK'],
      GIT_SSH_COMMAND: environment['GIT_SSH_COMMAND'],
      ...proxyEnvironment(proxies),
      ...authorities,
      GIT_CONFIG_NOSYSTEM: '1',
      // Nobody is there to be asked.
      GIT_TERMINAL_PROMPT: '0',
      GIT_ASKPASS: '/bin/true',
      [markVariable]: mark,
    },
  });
  let answer = '';
  let words = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => (answer += text));
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    onProgress?.();
    words = (words + text).slice(-kept);
  });
  const ended = new Promise<GitEnd>((resolve, reject) => {
    child.once('error', reject).once('close', (code) => {
      resolve({ code, answer, words });
    });
  });
  let stop: () => void = () => undefined;
  const killed = new Promise<never>((_, reject) => {
    stop = () => {
      // The files are removed after it, so nobody may be there any more who writes some.
      killTraced({ prefix: mark, leader: child.pid }, systemClock).then(() => {
        child.stdout.destroy();
        child.stderr.destroy();
        reject(signal.reason as Error);
      }, reject);
    };
  });
  signal.addEventListener('abort', stop, { once: true });
  try {
    const end = await Promise.race([ended, killed]);
    // Its end may be heard of before that of its helpers.
    return signal.aborted ? await killed : end;
  } finally {
    signal.removeEventListener('abort', stop);
  }
}
