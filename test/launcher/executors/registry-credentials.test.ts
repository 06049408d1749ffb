import { chmod, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import {
  assertConfigDirectory,
  credentialsFor,
  registryOf,
} from '../../../launcher/executors/registry-credentials.js';
import { temporaryFolder } from '../../support/temporary.js';

const registry = 'registry.example.com:5000';

/** Looks up `registry` in a configuration; `helper` is the text of the program `docker-credential-test`. */
async function look(config: object | null, helper?: string, name = registry) {
  const folder = await temporaryFolder();
  if (config !== null) await writeFile(join(folder, 'config.json'), JSON.stringify(config));
  if (helper !== undefined) {
    const file = join(folder, 'docker-credential-test');
    await writeFile(file, `#!/bin/sh\n${helper}\n`);
    await chmod(file, 0o755);
  }
  return credentialsFor({
    registry: name,
    configDirectory: folder,
    environment: {
      PATH: `${folder}:/usr/bin:/bin`,
      FOLDER: folder,
      SPACELIFT_TOKEN: 'pool token',
      SPACELIFT_POOL_PRIVATE_KEY: 'pool key',
    },
    signal: new AbortController().signal,
  });
}

const auth = Buffer.from('user:pass:word').toString('base64');
const written = { username: 'user', password: 'pass:word', serveraddress: registry };
const helpers = { credHelpers: { [registry]: 'test' } };

describe('credentials of a registry', () => {
  it('are those that docker login has written down', async () => {
    expect(await look({ auths: { [registry]: { auth } } })).toEqual(written);
    expect(await look({ auths: { [`https://${registry}`]: { auth } } })).toEqual(written);
    expect(await look({ auths: { 'other.example.com': { auth } } })).toBeUndefined();
  });

  const base64 = (text: string) => Buffer.from(text).toString('base64');
  const nobody = '00000000-0000-0000-0000-000000000000';
  it.each([
    // As `az acr login` writes them.
    [
      'an identity token beside a name without a password',
      { auth: base64(`${nobody}:`), identitytoken: 'i' },
      { username: nobody, identitytoken: 'i' },
    ],
    ['an identity token alone', { identitytoken: 'i' }, { identitytoken: 'i' }],
    ['a registry token', { registrytoken: 'r' }, { registrytoken: 'r' }],
    ['name and password by themselves', { username: 'n', password: 'p' }, { username: 'n', password: 'p' }],
    [
      'an auth, which counts more than name and password',
      { auth, username: 'n', password: 'p' },
      { username: 'user', password: 'pass:word' },
    ],
    ['an auth that is filled up with zeros', { auth: base64('n:p\0\0') }, { username: 'n', password: 'p' }],
    [
      'all of them',
      { auth, identitytoken: 'i', registrytoken: 'r' },
      { username: 'user', password: 'pass:word', identitytoken: 'i', registrytoken: 'r' },
    ],
  ])('are read from %s', async (_, entry, expected) => {
    expect(await look({ auths: { [registry]: entry } })).toEqual({ ...expected, serveraddress: registry });
  });

  it('are none in an entry that is empty, and without a configuration', async () => {
    expect(await look({ auths: { [registry]: {} } })).toBeUndefined();
    expect(await look({ auths: { [registry]: { auth: '' }, [`https://${registry}`]: { auth } } })).toEqual(
      written,
    );
    expect(await look(null)).toBeUndefined();
  });

  it('are missed with what is wrong, when an auth is not one', async () => {
    const failure = await look({ auths: { [registry]: { auth: base64('hunter2') } } }).catch(String);
    expect(failure).toMatch(
      /config\.json has an "auth" for registry\.example\.com:5000 that is not base64 of/,
    );
    expect(failure).not.toContain('hunter2');
  });

  it('are asked of the helper of the registry, by its protocol', async () => {
    const helper = `[ "$1" = get ] && read -r server; printf '{"ServerURL":"%s","Username":"me","Secret":"of %s"}' "$server" "$server"`;
    expect(await look(helpers, helper)).toEqual({
      username: 'me',
      password: `of ${registry}`,
      serveraddress: registry,
    });
    expect(await look({ credsStore: 'test' }, helper, 'index.docker.io')).toMatchObject({
      password: 'of https://index.docker.io/v1/',
    });
  });

  it('may be a token in the place of name and password', async () => {
    expect(await look(helpers, `echo '{"Username":"<token>","Secret":"t"}'`)).toEqual({
      identitytoken: 't',
      serveraddress: registry,
    });
  });

  it('are those written down when the helper has none', async () => {
    const none = 'echo credentials not found in native keychain; exit 1';
    expect(await look({ ...helpers, auths: { [registry]: { auth } } }, none)).toEqual(written);
    expect(await look(helpers, none)).toBeUndefined();
  });

  it('are missed with the reason of the helper', async () => {
    await expect(look(helpers, 'echo HTTP 403 denied >&2; exit 1')).rejects.toMatchObject({
      code: 'IMAGE_UNAVAILABLE',
      message: expect.stringContaining(`for ${registry}: HTTP 403 denied`) as string,
    });
    await expect(look(helpers)).rejects.toThrow(/docker-credential-test .*ENOENT/);
  });

  it('are not shown when they cannot be understood', async () => {
    const failure = await look(helpers, 'echo hunter2').catch(String);
    expect(failure).toMatch(/not of a credential helper/);
    expect(failure).not.toContain('hunter2');
  });

  it("are asked for without the pool's own", async () => {
    const helper = `printf '{"Username":"u","Secret":"[%s%s]"}' "$SPACELIFT_TOKEN" "$SPACELIFT_POOL_PRIVATE_KEY"`;
    expect(await look(helpers, helper)).toMatchObject({ password: '[]' });
  });
});

describe('the folder of the configuration', () => {
  it('may be empty or not named, and has to be a folder that is there', async () => {
    const folder = await temporaryFolder();
    await assertConfigDirectory(null);
    await assertConfigDirectory(folder);
    await writeFile(join(folder, 'file'), '');
    await expect(assertConfigDirectory(join(folder, 'nowhere'))).rejects.toMatchObject({
      code: 'INVALID_SETTINGS',
      message: expect.stringMatching(/SPACELIFT_DOCKER_CONFIG_DIR: expected the folder .*ENOENT/) as string,
    });
    await expect(assertConfigDirectory(join(folder, 'file'))).rejects.toThrow('it is not a folder');
  });
});

describe('the registry of an image', () => {
  it.each([
    ['alpine', 'index.docker.io'],
    ['team/tools:1', 'index.docker.io'],
    ['registry.example.com/tools', 'registry.example.com'],
    ['localhost/tools', 'localhost'],
    ['registry:5000/tools', 'registry:5000'],
  ])('%s is %s', (image, name) => {
    expect(registryOf(image)).toBe(name);
  });
});
