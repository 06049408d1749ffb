// What a node says to the API server, and what tests ask it, by plain HTTPS as the administrator.
import { readFileSync } from 'node:fs';
import https from 'node:https';
import { users, type ApiServer } from './api-server.js';

export interface TestPod {
  readonly metadata: {
    readonly name: string;
    readonly namespace: string;
    readonly uid: string;
    readonly deletionTimestamp?: string;
    readonly deletionGracePeriodSeconds?: number;
    readonly finalizers?: readonly string[];
    readonly labels: Readonly<Record<string, string>>;
    readonly annotations?: Readonly<Record<string, string>>;
  };
  readonly spec: { readonly nodeName?: string; readonly volumes: readonly object[] } & Readonly<
    Record<string, unknown>
  >;
  readonly status?: { readonly phase?: string };
}

export interface Client {
  call(method: string, path: string, body?: object, type?: string): Promise<unknown>;
  /** Undefined when there is none. */
  find<Item>(path: string): Promise<Item | undefined>;
  pods(): Promise<readonly TestPod[]>;
  bind(pod: TestPod, node: string): Promise<void>;
  patchStatus(pod: TestPod, status: object): Promise<void>;
  event(pod: TestPod, reason: string, message: string): Promise<void>;
  /** Text by key. */
  configMap(namespace: string, name: string): Promise<Readonly<Record<string, string>>>;
  /** Base64 by key. */
  secret(namespace: string, name: string): Promise<Readonly<Record<string, string>>>;
  /** In order: its node has the last word. */
  remove(pod: TestPod): Promise<void>;
  removeNow(pod: TestPod): Promise<void>;
}

export function createClient(server: ApiServer): Client {
  let agent: https.Agent | undefined;

  function call(method: string, path: string, body?: object, type = 'application/json'): Promise<unknown> {
    agent ??= new https.Agent({ keepAlive: true, ca: readFileSync(server.certificateFile) });
    const text = body === undefined ? '' : JSON.stringify(body);
    return new Promise((resolve, reject) => {
      const request = https.request(
        `${server.url}${path}`,
        {
          method,
          agent,
          headers: {
            authorization: `Bearer ${users.admin}`,
            'content-type': type,
            // Without it, what follows the head of a DELETE would be taken for the next request.
            'content-length': Buffer.byteLength(text),
          },
        },
        (response) => {
          let answer = '';
          response.setEncoding('utf8').on('data', (part: string) => (answer += part));
          response.on('end', () => {
            if ((response.statusCode ?? 500) < 300) resolve(JSON.parse(answer));
            else reject(new Error(`${method} ${path}: ${answer.slice(0, 300)}`));
          });
        },
      );
      request.on('error', reject);
      request.end(text);
    });
  }

  const pathOf = ({ metadata }: TestPod) => `/api/v1/namespaces/${metadata.namespace}/pods/${metadata.name}`;
  const ignoreMissing = (error: unknown): undefined => {
    if (!String(error).includes('"code":404')) throw error;
  };

  return {
    call,
    find: <Item>(path: string) => (call('GET', path) as Promise<Item>).catch(ignoreMissing),
    pods: async () => ((await call('GET', '/api/v1/pods')) as { items: TestPod[] }).items,
    async bind(pod, node) {
      if (pod.spec.nodeName !== undefined && pod.spec.nodeName !== '') return;
      await call('POST', `${pathOf(pod)}/binding`, {
        apiVersion: 'v1',
        kind: 'Binding',
        metadata: { name: pod.metadata.name },
        target: { apiVersion: 'v1', kind: 'Node', name: node },
      });
    },
    async patchStatus(pod, status) {
      await call('PATCH', `${pathOf(pod)}/status`, { status }, 'application/merge-patch+json').catch(
        ignoreMissing,
      );
    },
    async event(pod, reason, message) {
      await call('POST', `/api/v1/namespaces/${pod.metadata.namespace}/events`, {
        metadata: { generateName: 'event-', namespace: pod.metadata.namespace },
        involvedObject: {
          apiVersion: 'v1',
          kind: 'Pod',
          name: pod.metadata.name,
          namespace: pod.metadata.namespace,
          uid: pod.metadata.uid,
        },
        type: 'Warning',
        reason,
        message,
      });
    },
    async configMap(namespace, name) {
      const found = (await call('GET', `/api/v1/namespaces/${namespace}/configmaps/${name}`)) as {
        data?: Record<string, string>;
      };
      return found.data ?? {};
    },
    async secret(namespace, name) {
      const found = (await call('GET', `/api/v1/namespaces/${namespace}/secrets/${name}`)) as {
        data?: Record<string, string>;
      };
      return found.data ?? {};
    },
    async remove(pod) {
      await call('DELETE', pathOf(pod)).catch(ignoreMissing);
    },
    async removeNow(pod) {
      await call('DELETE', pathOf(pod), { gracePeriodSeconds: 0 }).catch(ignoreMissing);
    },
  };
}
