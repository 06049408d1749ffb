// A real Kubernetes API server on a real etcd, for one test file. Nothing else of a cluster is there: no scheduler, no
// controller manager, no node.
import { execFile, spawn, type ChildProcess } from 'node:child_process';
import { generateKeyPairSync } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { until } from '../../launcher/support/until.js';
import { available, hasProgram } from '../../support/skips.js';

/** From the top of the repository, where tests and benches run: a bench is bundled, and its files are elsewhere. */
const tools = resolve('.tools/bin');
const apiServerProgram = join(tools, 'kube-apiserver');
const kubectlProgram = join(tools, 'kubectl');

/** Whether a cluster can be tested with here. */
export const hasApiServer = (what: string) =>
  available(
    what,
    existsSync(apiServerProgram) && existsSync(kubectlProgram) && hasProgram('etcd', '--version'),
    'no kube-apiserver, kubectl or etcd (npm run test:tools builds and installs them)',
  );

/** Users of the API server: an administrator, and one that has only what roles give it. */
export const users = { admin: 'admin-token', controller: 'controller-token' } as const;

export interface ApiServer {
  readonly url: string;
  /** PEM file of the certificate to trust. */
  readonly certificateFile: string;
  /** Path of a kubeconfig file of a user. */
  readonly kubeconfig: Readonly<Record<keyof typeof users, string>>;
  /** As the administrator. Answers standard output; throws with standard error. */
  kubectl(args: readonly string[], input?: string): Promise<string>;
  /** Ends and starts the API server; etcd keeps the data. */
  restart(): Promise<void>;
  stop(): Promise<void>;
  start(): Promise<void>;
  isReady(): Promise<boolean>;
  close(): Promise<void>;
}

export async function startApiServer(): Promise<ApiServer> {
  const folder = await mkdtemp(join(tmpdir(), 'poolwright-cluster-'));
  const [etcdPort, peerPort, port] = await freePorts(3);
  const url = `https://127.0.0.1:${String(port)}`;
  const { privateKey, publicKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
  await mkdir(join(folder, 'certificates'));
  await writeFile(join(folder, 'accounts.key'), privateKey.export({ type: 'pkcs8', format: 'pem' }));
  await writeFile(join(folder, 'accounts.pub'), publicKey.export({ type: 'spki', format: 'pem' }));
  await writeFile(
    join(folder, 'tokens.csv'),
    `${users.admin},admin,1,system:masters\n${users.controller},controller,2\n`,
  );
  const certificateFile = join(folder, 'certificates', 'apiserver.crt');
  const kubeconfig = {
    admin: join(folder, 'admin.json'),
    controller: join(folder, 'controller.json'),
  };
  for (const user of ['admin', 'controller'] as const) {
    await writeFile(kubeconfig[user], JSON.stringify(kubeconfigOf(url, certificateFile, users[user])));
  }

  const etcd = spawn(
    'etcd',
    [
      `--data-dir=${join(folder, 'etcd')}`,
      `--listen-client-urls=http://127.0.0.1:${String(etcdPort)}`,
      `--advertise-client-urls=http://127.0.0.1:${String(etcdPort)}`,
      `--listen-peer-urls=http://127.0.0.1:${String(peerPort)}`,
      `--initial-advertise-peer-urls=http://127.0.0.1:${String(peerPort)}`,
      `--initial-cluster=default=http://127.0.0.1:${String(peerPort)}`,
      '--log-level=error',
    ],
    { stdio: 'ignore', cwd: folder },
  );
  let server: ChildProcess | undefined;
  let said = '';

  const isReady = () =>
    execFileText(kubectlProgram, ['--kubeconfig', kubeconfig.admin, 'get', '--raw', '/readyz']).then(
      () => true,
      () => false,
    );

  async function start(): Promise<void> {
    said = '';
    server = spawn(
      apiServerProgram,
      [
        `--etcd-servers=http://127.0.0.1:${String(etcdPort)}`,
        '--bind-address=127.0.0.1',
        '--advertise-address=127.0.0.1',
        `--secure-port=${String(port)}`,
        `--cert-dir=${join(folder, 'certificates')}`,
        `--token-auth-file=${join(folder, 'tokens.csv')}`,
        `--service-account-key-file=${join(folder, 'accounts.pub')}`,
        `--service-account-signing-key-file=${join(folder, 'accounts.key')}`,
        '--service-account-issuer=https://kubernetes.default.svc',
        '--authorization-mode=RBAC',
        '--disable-admission-plugins=ServiceAccount',
        '--service-cluster-ip-range=10.0.0.0/24',
      ],
      { stdio: ['ignore', 'ignore', 'pipe'], cwd: folder },
    );
    server.stderr?.setEncoding('utf8').on('data', (text: string) => (said = (said + text).slice(-4000)));
    await until(isReady, 'the API server to be ready', 90_000).catch((error: unknown) => {
      throw new Error(`${String(error)}; it said ${said}`);
    });
  }

  async function stop(): Promise<void> {
    if (server === undefined) return;
    const ended = new Promise((resolve) => server?.once('close', resolve));
    server.kill('SIGKILL');
    await ended;
    server = undefined;
  }

  await start();
  return {
    url,
    certificateFile,
    kubeconfig,
    kubectl: (args, input) =>
      execFileText(kubectlProgram, ['--kubeconfig', kubeconfig.admin, ...args], input),
    async restart() {
      await stop();
      await start();
    },
    stop,
    start,
    isReady,
    async close() {
      await stop();
      const ended = new Promise((resolve) => etcd.once('close', resolve));
      etcd.kill('SIGKILL');
      await ended;
      await rm(folder, { recursive: true, force: true });
    },
  };
}

function kubeconfigOf(server: string, certificateFile: string, token: string) {
  return {
    apiVersion: 'v1',
    kind: 'Config',
    clusters: [{ name: 'test', cluster: { server, 'certificate-authority': certificateFile } }],
    users: [{ name: 'user', user: { token } }],
    contexts: [{ name: 'test', context: { cluster: 'test', user: 'user', namespace: 'default' } }],
    'current-context': 'test',
  };
}

function execFileText(program: string, args: readonly string[], input?: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const child = execFile(program, args, { maxBuffer: 64 * 1024 * 1024 }, (error, out, err) => {
      if (error === null) resolve(out);
      else reject(new Error(`${args.slice(2).join(' ')}: ${err.trim() || error.message}`));
    });
    child.stdin?.end(input ?? '');
  });
}

/** Free now; a program that takes one in between makes the start fail, which shows. */
async function freePorts(count: number): Promise<number[]> {
  const servers = await Promise.all(
    Array.from(
      { length: count },
      () =>
        new Promise<ReturnType<typeof createServer>>((resolve) => {
          const server = createServer().listen(0, '127.0.0.1', () => {
            resolve(server);
          });
        }),
    ),
  );
  const ports = servers.map((server) => (server.address() as AddressInfo).port);
  await Promise.all(servers.map((server) => new Promise((resolve) => server.close(resolve))));
  return ports;
}
