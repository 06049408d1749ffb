// What a failed step is said to have failed for, by the end of its output: the name of its user.
import { describe, expect, it } from 'vitest';
import { stepFailure } from '../../../launcher/run/failure.js';

const failed = { exitCode: 1, signal: null, cause: 'exit' } as const;

describe('a step whose user has no name', () => {
  it.each([
    ['No user exists for uid 1000', 1000],
    ['whoami: unknown uid 1000', 1000],
    ['id: cannot find name for user ID 1983', 1983],
    ["KeyError: 'getpwuid(): uid not found: 1983'", 1983],
    ['fatal: unable to look up current user in the passwd file: no such user', 1983],
    ['SystemError: uv_os_get_passwd returned ENOENT (no such file or directory)', 1000],
  ] as const)('"%s" names UID %i, which is the one in force', (words, id) => {
    const { code, message } = stepFailure('plan', failed, `before\n${words}\n`, { id, of: 'image' });
    expect(code).toBe('RUN_USER_MISSING');
    expect(message).toContain(`the runner image has no user with UID ${String(id)}. Add one`);
    expect(message).toContain(`adduser -D -u ${String(id)} `);
  });

  it('is told of the machine, where there is no image', () => {
    const { message } = stepFailure('plan', failed, 'unknown uid 1000', { id: 1000, of: 'machine' });
    expect(message).toContain('the machine of this worker has no user with UID 1000');
  });

  it.each(['unknown uid 19', 'unknown uid 19830', 'No user exists for uid 1000'])(
    'is not one that looks for another user: "%s"',
    (words) => {
      expect(stepFailure('plan', failed, words, { id: 1983, of: 'image' }).code).toBe('COMMAND_FAILED');
    },
  );
});
