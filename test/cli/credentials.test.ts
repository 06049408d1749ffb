import { chmod, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { describe, expect, it } from 'vitest';
import { normalEndpoint, resolveCredentials } from '../../control-plane/cli/credentials.js';
import { UsageError } from '../../control-plane/cli/exit.js';
import { readProfile, writeProfile } from '../../control-plane/cli/profile.js';
import { temporaryFolder } from './support/folder.js';

const nothing = Readable.from([]);
const kept = { endpoint: 'https://kept.example.com', apiKeyId: 'kept-id', apiKeySecret: 'kept-secret' };

/** An environment whose default profile is `kept`, or none. */
async function home(withProfile: boolean): Promise<NodeJS.ProcessEnv> {
  const folder = await temporaryFolder();
  if (withProfile) await writeProfile(join(folder, 'poolwright', 'profile.json'), kept);
  return { XDG_CONFIG_HOME: folder };
}

describe('credentials', () => {
  it('come from flags before the environment before the default profile', async () => {
    const folder = await temporaryFolder();
    const secretFile = join(folder, 'secret');
    await writeFile(secretFile, 'from-file\n');
    const environment = {
      ...(await home(true)),
      POOLWRIGHT_ENDPOINT: 'https://environment.example.com',
      POOLWRIGHT_API_KEY_ID: 'environment-id',
      POOLWRIGHT_API_KEY_SECRET: 'environment-secret',
    };
    expect(await resolveCredentials({}, environment, nothing)).toEqual({
      endpoint: 'https://environment.example.com',
      apiKeyId: 'environment-id',
      apiKeySecret: 'environment-secret',
    });
    const flags = {
      endpoint: 'https://flag.example.com/',
      apiKeyId: 'flag-id',
      apiKeySecretFile: secretFile,
    };
    expect(await resolveCredentials(flags, environment, nothing)).toEqual({
      endpoint: 'https://flag.example.com',
      apiKeyId: 'flag-id',
      apiKeySecret: 'from-file',
    });
    expect(await resolveCredentials({}, await home(true), nothing)).toEqual(kept);
  });

  it('come from a profile named by flag before the environment', async () => {
    const profile = join(await temporaryFolder(), 'profile.json');
    await writeProfile(profile, kept);
    const environment = {
      POOLWRIGHT_ENDPOINT: 'https://environment.example.com',
      POOLWRIGHT_API_KEY_ID: 'environment-id',
      POOLWRIGHT_API_KEY_SECRET: 'environment-secret',
    };
    expect(await resolveCredentials({ profile }, environment, nothing)).toEqual(kept);
  });

  it('are understood under the names that existing tools use', async () => {
    const environment = {
      ...(await home(false)),
      SPACELIFT_API_KEY_ENDPOINT: 'https://a.example.com/',
      SPACELIFT_API_KEY_ID: 'a-id',
      SPACELIFT_API_KEY_SECRET: 'a-secret',
    };
    const found = await resolveCredentials({}, environment, nothing);
    expect(found).toEqual({ endpoint: 'https://a.example.com', apiKeyId: 'a-id', apiKeySecret: 'a-secret' });
  });

  it('are never half of one family of variables and half of the other', async () => {
    const environment = {
      ...(await home(false)),
      POOLWRIGHT_ENDPOINT: 'https://b.example.com',
      SPACELIFT_API_KEY_ID: 'a-id',
      SPACELIFT_API_KEY_SECRET: 'a-secret',
    };
    await expect(resolveCredentials({}, environment, nothing)).rejects.toThrow(/API key's id/);
  });

  it("never send the profile's key to another endpoint", async () => {
    const flags = { endpoint: 'https://elsewhere.example.com' };
    const refused = await resolveCredentials(flags, await home(true), nothing).catch(
      (error: unknown) => error,
    );
    expect(refused).toBeInstanceOf(UsageError);
    expect(String(refused)).not.toContain('kept-secret');
  });

  it('name everything that is missing at once', async () => {
    await expect(resolveCredentials({}, await home(false), nothing)).rejects.toThrow(
      /--endpoint.*\n.*--api-key-id.*\n.*--api-key-secret-file/,
    );
  });

  it('take the secret from stdin for a dash', async () => {
    const flags = { endpoint: 'http://localhost:1', apiKeyId: 'id', apiKeySecretFile: '-' };
    const found = await resolveCredentials(flags, {}, Readable.from(['typed\n']));
    expect(found.apiKeySecret).toBe('typed');
  });
});

describe('an endpoint', () => {
  it.each([
    ['https://a.example.com', 'https://a.example.com'],
    ['https://a.example.com/', 'https://a.example.com'],
    ['https://a.example.com/graphql', 'https://a.example.com'],
    ['https://a.example.com/prefix/graphql/', 'https://a.example.com/prefix'],
  ])('%s means %s', (given, meant) => {
    expect(normalEndpoint(given)).toBe(meant);
  });

  it.each(['a.example.com', 'ssh://a.example.com', ''])('"%s" is refused', (given) => {
    expect(() => normalEndpoint(given)).toThrow(UsageError);
  });
});

describe('a profile file', () => {
  it('is readable by its owner only, also when it was wider before', async () => {
    const file = join(await temporaryFolder(), 'deep', 'profile.json');
    await writeProfile(file, kept);
    await chmod(file, 0o644);
    await writeProfile(file, kept);
    expect((await stat(file)).mode & 0o777).toBe(0o600);
    expect(await readProfile(file)).toEqual(kept);
  });

  it('that is damaged is refused without showing what is in it', async () => {
    const file = join(await temporaryFolder(), 'profile.json');
    await writeFile(file, '{"apiKeySecret": "very-secret" oops');
    const refused = String(await readProfile(file).catch((error: unknown) => error));
    expect(refused).toContain('not JSON');
    expect(refused).not.toContain('very-secret');
  });
});
