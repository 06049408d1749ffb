// Which executor this launcher uses.
import { messageOf, PoolwrightError } from '../../protocol/errors.js';
import type { Clock } from '../clock.js';
import type { Log } from '../log.js';
import type { Settings } from '../settings/settings.js';
import { createDockerExecutor } from './docker.js';
import { userNotice } from './docker-container.js';
import type { Executor, LauncherLife } from './executor.js';
import { createHostExecutor } from './host.js';
import { hadExecutor, noteExecutor, sweepingBoth } from './lives.js';

const noIsolation =
  "Runs are processes of this machine, with the launcher's rights and no container around them.";

/**
 * As the settings say; `auto` takes containers when an engine answers, and where this life has had containers before. While
 * the engine is away, only a launcher that goes on with a run (`resumes`) starts: it says that it has the run, which may go
 * on in its container, and waits for the engine. Throws ENGINE_UNAVAILABLE, INVALID_SETTINGS.
 */
export async function chooseExecutor(
  settings: Pick<Settings, 'executor' | 'containers'>,
  {
    life,
    resumes,
    clock,
    log,
  }: { readonly life: LauncherLife; readonly resumes: boolean; readonly clock: Clock; readonly log: Log },
): Promise<Executor> {
  const docker = createDockerExecutor({
    life,
    containers: settings.containers,
    clock,
    dockerHost: process.env['DOCKER_HOST'],
    environment: process.env,
    userId: process.getuid?.(),
  });
  const host = createHostExecutor({
    life,
    clock,
    path: process.env['PATH'] ?? '/usr/local/bin:/usr/bin:/bin',
  });
  const chosen = await choose();
  const notice = chosen === docker ? userNotice(process.getuid?.()) : undefined;
  if (notice !== undefined) log.warn(notice);
  await noteExecutor(life, chosen.kind);
  return sweepingBoth(chosen, chosen === docker ? host : docker);

  async function choose(): Promise<Executor> {
    switch (settings.executor) {
      case 'host':
        log.warn(noIsolation);
        return host;
      case 'docker':
      case 'auto':
        try {
          await docker.check();
          return docker;
        } catch (error) {
          // An engine that answers is taken, and what the settings ask of it has to be there.
          if (!(error instanceof PoolwrightError) || error.code !== 'ENGINE_UNAVAILABLE') throw error;
          if (await hadExecutor(life, 'docker')) return waitFor(error);
          if (settings.executor === 'docker') throw error;
          log.warn(`${messageOf(error)} ${noIsolation}`);
          return host;
        }
    }
  }

  function waitFor(fault: PoolwrightError): Executor {
    if (!resumes) throw fault;
    log.warn(`${fault.message} The run that this launcher found is gone on with when the engine answers.`);
    return docker;
  }
}
