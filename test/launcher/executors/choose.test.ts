// What a launcher says of the user that its runs have in containers.
import { ulid } from 'ulid';
import { expect, it, onTestFinished, vi } from 'vitest';
import { systemClock } from '../../../launcher/clock.js';
import { chooseExecutor } from '../../../launcher/executors/choose.js';
import { temporaryFolder } from '../../support/temporary.js';
import { startService } from '../notices/support/service.js';
import { recordedLog } from '../support/log.js';
import { containerSettings } from './support/containers.js';

/** The warnings of a launcher with this UID. */
async function warnings(user: number, executor: 'docker' | 'host'): Promise<string[]> {
  const engine = await startService({ 'GET /_ping': 'OK' });
  vi.stubEnv('DOCKER_HOST', engine.url.replace('http:', 'tcp:'));
  vi.spyOn(process, 'getuid').mockReturnValue(user);
  onTestFinished(async () => {
    vi.unstubAllEnvs();
    vi.restoreAllMocks();
    await engine.close();
  });
  const log = recordedLog();
  const life = { id: ulid(), folder: await temporaryFolder() };
  const chosen = await chooseExecutor(
    { executor, containers: containerSettings },
    { life, resumes: false, clock: systemClock, log },
  );
  expect(chosen.kind).toBe(executor);
  return log.lines.filter(({ level }) => level === 'warn').map(({ message }) => message);
}

it('a launcher that is neither root nor UID 1983 says in one warning which UID its runs have, and why', async () => {
  expect(await warnings(1000, 'docker')).toEqual([
    expect.stringMatching(/^Runs are executed as UID 1000, .* instead of UID 1983: it is not root, .*/),
  ]);
});

it.each([0, 1983])('a launcher with UID %i says nothing of it', async (user) => {
  expect(await warnings(user, 'docker')).toEqual([]);
});

it('a launcher without containers has the user that it has', async () => {
  expect(await warnings(1000, 'host')).toEqual([expect.stringContaining('no container around them')]);
});
