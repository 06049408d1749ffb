// The image of deploy/Dockerfile, built here and run as its users run it: the controller without a writable file or a
// capability, and init and launcher-grpc of run pods. `npm run test:image`: its base, for which no registry can be reached, is
// a Debian of this machine with this machine's Node, and its packages come from Debian.
import { execFileSync } from 'node:child_process';
import { copyFileSync, existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { logOf } from '../support/control-plane.js';
import { hasRunnerImage } from '../support/runner-image.js';
import { available } from '../support/skips.js';
import { startGitServer, type GitServer } from '../launcher/support/git-server.js';
import { hasApiServer } from './support/api-server.js';
import { startCluster, type Cluster } from './support/cluster.js';

const debian = resolve('.tools/debian-12.tar');
const wanted = process.env['POOLWRIGHT_TEST_IMAGE'] !== undefined;
const there =
  wanted &&
  available('the image', existsSync(debian), 'no Debian (npm run test:tools makes it)') &&
  hasApiServer('the image') &&
  hasRunnerImage('the image');

const name = `poolwright-test/launcher:${String(process.pid)}`;
const base = `poolwright-test/base:${String(process.pid)}`;
const docker = (...words: string[]) =>
  execFileSync('docker', words, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'inherit'], timeout: 300_000 });

describe.runIf(there)('the image of controller and run pods', { timeout: 120_000 }, () => {
  let cluster: Cluster;
  let git: GitServer;
  let folder: string;
  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'poolwright-image-'));
    copyFileSync(process.execPath, join(folder, 'node'));
    const imported = docker('import', debian).trim();
    writeFileSync(join(folder, 'Dockerfile'), `FROM ${imported}\nCOPY node /usr/local/bin/node\n`);
    docker('build', '--quiet', '--tag', base, folder);
    const options = ['--network', 'host', '--build-arg', `BASE=${base}`];
    docker('build', '--quiet', '--file', 'deploy/Dockerfile', ...options, '--tag', name, '.');
    git = await startGitServer(mkdtempSync(join(folder, 'git-')));
    cluster = await startCluster([], { launcherImage: name });
    await cluster.startController();
    await cluster.createPool('image', 1, {});
  }, 400_000);
  afterAll(async () => {
    await cluster.close();
    await git.close();
    docker('rmi', '--force', name, base);
    rmSync(folder, { recursive: true, force: true });
  });

  test('holds what it says, and no more than that of this repository', () => {
    const has = (...words: string[]) =>
      docker('run', '--rm', '--network', 'none', '--entrypoint', '', name, ...words);
    expect(has('id', '-u')).toBe('1983\n');
    expect(has('ls', '/opt/poolwright').trim().split('\n')).toEqual(
      expect.arrayContaining(['launcher-kubernetes.cjs', 'launcher.cjs']),
    );
    expect(has('sh', '-c', 'git --version && ssh -V 2>&1 && command -v mkfifo')).toMatch(
      /git version.*OpenSSH/s,
    );
  });

  test('takes a run with files from Git through plan and apply', async () => {
    const made = await cluster.triggerRun({
      name: 'image',
      repository: `http://127.0.0.1:${String(git.port)}/repository.git`,
      branch: 'main',
      planCommands: ['cat greeting', 'echo planned > made'],
      applyCommands: ['cat made'],
    });
    await cluster.reached(made, 'UNCONFIRMED');
    expect(await logOf(cluster.plane, made.stack, made.run, 'PLANNING')).toMatch(/^hello/m);
    await cluster.confirm(made);
    await cluster.reached(made, 'FINISHED');
    expect(await logOf(cluster.plane, made.stack, made.run, 'APPLYING')).toContain('planned');
    await cluster.noRunSecrets();
  });

  test('is told to end, and ends in order', async () => {
    const [controller] = cluster.controllers();
    const ended = new Promise((done) => controller?.once('close', done));
    controller?.kill('SIGTERM');
    expect(await ended).toBe(0);
    expect(cluster.said()).toContain('Ending; runs go on in their pods.');
  });
});
