// Calls to the API server: paths and JSON, with the credentials that the official client library finds in the cluster or
// in a kubeconfig. Its generated methods are left out: they would copy every object into classes.
import https from 'node:https';
import http from 'node:http';
import type { KubeConfig } from '@kubernetes/client-node';
import { group, version } from '../../protocol/kubernetes/names.js';
import { sleep, type Clock } from '../clock.js';
import type { KubeObject } from './objects.js';

/** An answer that is no success. */
export class KubeError extends Error {
  override readonly name = 'KubeError';
  constructor(
    readonly status: number,
    readonly reason: string,
    message: string,
    /** Reasons that the API server gives for its reason, such as `NamespaceTerminating`. */
    readonly causes: readonly string[] = [],
  ) {
    super(message);
  }
}

export interface ListAnswer<Item> {
  readonly items: readonly Item[];
  readonly metadata: { readonly resourceVersion: string };
}

export interface KubeApi {
  /** Undefined when there is none. */
  get<Item>(path: string): Promise<Item | undefined>;
  /** All pages. `keep`: what is kept of each item; default: all but the fields that only the API server needs. */
  list<Item extends KubeObject>(
    path: string,
    labelSelector?: string,
    keep?: (item: Item) => Item,
  ): Promise<ListAnswer<Item>>;
  create<Item>(path: string, body: object): Promise<Item>;
  /** A JSON merge patch. Undefined when there is no such object. */
  patch<Item>(path: string, body: object): Promise<Item | undefined>;
  /** Takes a finalizer from an object of Kubernetes' own kinds, and leaves others. Undefined when there is no such object. */
  removeFinalizer<Item extends KubeObject>(path: string, finalizer: string): Promise<Item | undefined>;
  replace<Item>(path: string, body: object): Promise<Item>;
  /** What is left of it while finalizers or its grace keep it; undefined when it is gone. No error when there was none. */
  remove<Item extends KubeObject>(path: string): Promise<Item | undefined>;
  /** Requests sent until now, for the bench. */
  readonly requests: () => number;
  close(): void;
}

/** Collections and their objects. Every argument is a name that the API server has accepted before. */
export const paths = {
  pools: (namespace?: string) => custom('workerpools', namespace),
  workers: (namespace?: string) => custom('workers', namespace),
  pods: (namespace?: string) => core('pods', namespace),
  secrets: (namespace?: string) => core('secrets', namespace),
  events: (namespace?: string) => core('events', namespace),
  leases: (namespace: string) => `/apis/coordination.k8s.io/v1/namespaces/${namespace}/leases`,
} as const;

const inNamespace = (namespace?: string) => (namespace === undefined ? '' : `/namespaces/${namespace}`);
const core = (plural: string, namespace?: string) => `/api/v1${inNamespace(namespace)}/${plural}`;
const custom = (plural: string, namespace?: string) =>
  `/apis/${group}/${version}${inNamespace(namespace)}/${plural}`;

/** Objects in one page of a list. */
const pageSize = 500;
/** Milliseconds without an answer. */
const silence = 30_000;
/** Tries while the API server says that it has too much to do. */
const tries = 5;

export function createKubeApi(config: KubeConfig, clock: Clock): KubeApi {
  const server = config.getCurrentCluster()?.server;
  if (server === undefined) throw new Error('there is no cluster in the configuration');
  const secure = server.startsWith('https:');
  let agent: http.Agent | undefined;
  let requests = 0;

  async function once(method: string, path: string, body: string | undefined, type: string) {
    requests += 1;
    const options: https.RequestOptions = {};
    // Every time: the token of a service account is renewed in its file.
    await config.applyToHTTPSOptions(options);
    // Certificates are the same for all calls, so connections are kept.
    agent ??= secure
      ? new https.Agent({
          keepAlive: true,
          maxSockets: 32,
          ca: options.ca,
          cert: options.cert,
          key: options.key,
        })
      : new http.Agent({ keepAlive: true, maxSockets: 32 });
    const request = (secure ? https : http).request(`${server ?? ''}${path}`, {
      method,
      agent,
      timeout: silence,
      ...(options.rejectUnauthorized === undefined ? {} : { rejectUnauthorized: options.rejectUnauthorized }),
      headers: {
        ...(options.headers as http.OutgoingHttpHeaders | undefined),
        accept: 'application/json',
        ...(body === undefined ? {} : { 'content-type': type, 'content-length': Buffer.byteLength(body) }),
      },
    });
    request.on('timeout', () => request.destroy(new Error(`no byte for ${String(silence / 1000)} s`)));
    const answered = new Promise<http.IncomingMessage>((resolve, reject) => {
      request.once('response', resolve);
      request.on('error', reject);
    });
    request.end(body);
    const response = await answered;
    const parts: Buffer[] = [];
    for await (const part of response) parts.push(part as Buffer);
    return {
      status: response.statusCode ?? 0,
      retryAfter: Number(response.headers['retry-after'] ?? '1'),
      text: Buffer.concat(parts).toString('utf8'),
    };
  }

  async function call<Answer>(
    method: string,
    path: string,
    body?: object,
    type = 'application/json',
  ): Promise<Answer> {
    const text = body === undefined ? undefined : JSON.stringify(body);
    for (let attempt = 1; ; attempt += 1) {
      const answer = await once(method, path, text, type);
      if (answer.status === 429 && attempt < tries) {
        await sleep(clock, Math.min(answer.retryAfter || 1, 10) * 1000);
        continue;
      }
      if (answer.status >= 200 && answer.status < 300) return JSON.parse(answer.text) as Answer;
      throw refusal(answer.status, answer.text);
    }
  }

  /** Not found is an answer to look-ups. */
  const orUndefined = (error: unknown): undefined => {
    if (error instanceof KubeError && error.status === 404) return undefined;
    throw error;
  };

  return {
    get: <Item>(path: string) => call<Item>('GET', path).catch(orUndefined),
    async list<Item extends KubeObject>(
      path: string,
      labelSelector?: string,
      keep: (item: Item) => Item = slim,
    ) {
      const items: Item[] = [];
      let next = '';
      for (;;) {
        const query = new URLSearchParams({ limit: String(pageSize) });
        if (labelSelector !== undefined) query.set('labelSelector', labelSelector);
        if (next !== '') query.set('continue', next);
        const page = await call<ListAnswer<Item> & { metadata: { continue?: string } }>(
          'GET',
          `${path}?${query.toString()}`,
        );
        for (const item of page.items) items.push(keep(item));
        next = page.metadata.continue ?? '';
        if (next === '') return { items, metadata: page.metadata };
      }
    },
    create: (path, body) => call('POST', path, body),
    patch: <Item>(path: string, body: object) =>
      call<Item>('PATCH', path, body, 'application/merge-patch+json').catch(orUndefined),
    removeFinalizer: <Item extends KubeObject>(path: string, finalizer: string) =>
      call<Item>(
        'PATCH',
        path,
        { metadata: { '$deleteFromPrimitiveList/finalizers': [finalizer] } },
        'application/strategic-merge-patch+json',
      ).catch(orUndefined),
    replace: (path, body) => call('PUT', path, body),
    async remove<Item extends KubeObject>(path: string) {
      const answer = await call<Item>('DELETE', path).catch(orUndefined);
      return answer?.metadata.deletionTimestamp === undefined ? undefined : answer;
    },
    requests: () => requests,
    close() {
      agent?.destroy();
    },
  };
}

/** The same calls, of which those that change something are refused while this controller may not act. */
export function whileLeading(api: KubeApi, leads: () => boolean): KubeApi {
  const assertLeads = () => {
    if (!leads()) throw new Error('another controller may lead now');
  };
  return {
    ...api,
    async create<Item>(path: string, body: object) {
      assertLeads();
      return api.create<Item>(path, body);
    },
    async patch<Item>(path: string, body: object) {
      assertLeads();
      return api.patch<Item>(path, body);
    },
    async removeFinalizer<Item extends KubeObject>(path: string, finalizer: string) {
      assertLeads();
      return api.removeFinalizer<Item>(path, finalizer);
    },
    async replace<Item>(path: string, body: object) {
      assertLeads();
      return api.replace<Item>(path, body);
    },
    async remove<Item extends KubeObject>(path: string) {
      assertLeads();
      return api.remove<Item>(path);
    },
  };
}

/** Drops what would fill memory: who has set which field. */
export function slim<Item extends KubeObject>(item: Item): Item {
  delete (item.metadata as { managedFields?: unknown }).managedFields;
  return item;
}

function refusal(status: number, text: string): KubeError {
  try {
    const { reason, message, details } = JSON.parse(text) as {
      readonly reason?: string;
      readonly message?: string;
      readonly details?: { readonly causes?: readonly { readonly reason?: string }[] };
    };
    const causes = (details?.causes ?? []).map((cause) => cause.reason ?? '');
    return new KubeError(status, reason ?? '', message ?? text.slice(0, 500), causes);
  } catch {
    return new KubeError(status, '', `HTTP status ${String(status)}: ${text.slice(0, 200)}`);
  }
}

export function isConflict(error: unknown, reason: 'AlreadyExists' | 'Conflict'): boolean {
  return error instanceof KubeError && error.status === 409 && error.reason === reason;
}

/** The API server has judged it, and would judge it the same again: forbidden, invalid, and the like. */
export function isRefusal(error: unknown): error is KubeError {
  return (
    error instanceof KubeError &&
    error.status >= 400 &&
    error.status < 500 &&
    ![409, 429].includes(error.status)
  );
}
