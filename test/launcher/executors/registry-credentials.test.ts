import { chmod, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { credentialsFor, registryOf } from '../../../launcher/executors/registry-credentials.js';
import { temporaryFolder } from '../../support/temporary.js';

const registry = 'registry.example.com:5000';

/** Looks up `registry` in a configuration; `helper` is the text of the program `docker-credential-test`. */
async function look(config: object, helper?: string, name = registry) {
  const folder = await temporaryFolder();
  await writeFile(join(folder, 'config.json'), JSON.stringify(config));
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
