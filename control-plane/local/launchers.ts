// The two launchers of the local pool.
import { mkdir } from 'node:fs/promises';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { PoolwrightError } from '../../protocol/errors.js';
import { packageFile } from '../cli/package-file.js';
import type { ExecutorKind } from './engine.js';
import type { LocalFolder } from './folder.js';
import { startLauncher, type LauncherProcess } from './launcher-process.js';
import type { Narrator } from './narrator.js';

export const launcherCount = 2;

export interface LaunchersInput {
  readonly folder: LocalFolder;
  readonly token: string;
  /** PEM. */
  readonly privateKey: string;
  readonly executor: ExecutorKind;
  /** Environment of this process: the launchers need PATH, HOME, DOCKER_HOST and the like. */
  readonly environment: NodeJS.ProcessEnv;
}

/** What a launcher has no use for, so it does not get it. */
const withheld = ['POOLWRIGHT_API_KEY_SECRET', 'SPACELIFT_API_KEY_SECRET'];

function environmentOf(input: LaunchersInput, number: number): NodeJS.ProcessEnv {
  const inherited = Object.entries(input.environment).filter(([name]) => !withheld.includes(name));
  return {
    ...Object.fromEntries(inherited),
    SPACELIFT_TOKEN: input.token,
    SPACELIFT_POOL_PRIVATE_KEY: Buffer.from(input.privateKey).toString('base64'),
    SPACELIFT_METADATA_name: `local-${String(number)}`,
    POOLWRIGHT_STATE_DIR: input.folder.launcherFolder(number),
    POOLWRIGHT_EXECUTOR: input.executor,
    POOLWRIGHT_LOG_FORMAT: 'json',
    POOLWRIGHT_END_WITH_PARENT: 'true',
  };
}

/** Starts the launchers. `onAllGone` is called when none is left to start again. ARTEFACT_MISSING when not built. */
export async function startLaunchers(
  input: LaunchersInput,
  narrator: Narrator,
  onAllGone: () => void,
): Promise<readonly LauncherProcess[]> {
  const program = packageFile('dist', 'launcher.cjs');
  if (!existsSync(program)) {
    throw new PoolwrightError(
      'ARTEFACT_MISSING',
      `The launcher ${program} is not there. Build it: npm run build`,
    );
  }
  const started: LauncherProcess[] = [];
  let left = launcherCount;
  for (let number = 1; number <= launcherCount; number += 1) {
    const folder = input.folder.launcherFolder(number);
    await mkdir(folder, { recursive: true, mode: 0o700 });
    const name = `launcher ${String(number)}`;
    const command = {
      program: process.execPath,
      args: [program],
      environment: environmentOf(input, number),
      logFile: join(folder, 'launcher.log'),
    };
    const events = {
      onLine: (line: string) => {
        narrator.warn(`${name}: ${line}`);
      },
      onBroken: (how: string, again: boolean) => {
        const next = again ? 'It is started again.' : `It stays away; its log is ${command.logFile}.`;
        narrator.warn(`${name} ended (${how}). ${next}`);
        if (!again) left -= 1;
        if (left === 0) onAllGone();
      },
    };
    started.push(startLauncher(command, events));
  }
  return started;
}
