// Who may read the controller's figures: whoever the API server knows by the token and lets `get` the path, as it is with
// the API server's own figures (https://kubernetes.io/docs/reference/access-authn-authz/authorization/, non-resource URLs).
import { createHash } from 'node:crypto';
import type { Clock } from '../clock.js';
import type { KubeApi } from './api.js';

export type Access = 'allowed' | 'unknown' | 'forbidden';

/** Answers for an `Authorization` header. Throws when the API server cannot be asked. */
export type AccessCheck = (authorization: string | undefined, path: string) => Promise<Access>;

/** Milliseconds for which an answer counts: collectors ask every few seconds. */
const remembered = { allowed: 60_000, refused: 10_000 } as const;
/** Answers that are remembered at a time. */
const most = 100;

interface TokenReview {
  readonly status?: {
    readonly authenticated?: boolean;
    readonly user?: {
      readonly username?: string;
      readonly uid?: string;
      readonly groups?: readonly string[];
      readonly extra?: Readonly<Record<string, readonly string[]>>;
    };
  };
}

interface SubjectAccessReview {
  readonly status?: { readonly allowed?: boolean };
}

export function createAccessCheck(api: Pick<KubeApi, 'create'>, clock: Clock): AccessCheck {
  const answers = new Map<string, { readonly access: Access; readonly until: number }>();

  async function ask(token: string, path: string): Promise<Access> {
    const { status: known } = await api.create<TokenReview>('/apis/authentication.k8s.io/v1/tokenreviews', {
      apiVersion: 'authentication.k8s.io/v1',
      kind: 'TokenReview',
      spec: { token },
    });
    if (known?.authenticated !== true || known.user === undefined) return 'unknown';
    const { username, uid, groups, extra } = known.user;
    const { status } = await api.create<SubjectAccessReview>(
      '/apis/authorization.k8s.io/v1/subjectaccessreviews',
      {
        apiVersion: 'authorization.k8s.io/v1',
        kind: 'SubjectAccessReview',
        spec: { user: username, uid, groups, extra, nonResourceAttributes: { path, verb: 'get' } },
      },
    );
    return status?.allowed === true ? 'allowed' : 'forbidden';
  }

  return async (authorization, path) => {
    const token = /^Bearer +(\S+)$/i.exec(authorization ?? '')?.[1];
    if (token === undefined) return 'unknown';
    // The token itself is not kept.
    const key = createHash('sha256').update(`${path} ${token}`).digest('hex');
    const found = answers.get(key);
    if (found !== undefined && clock.monotonic() < found.until) return found.access;
    const access = await ask(token, path);
    answers.delete(key);
    const within = access === 'allowed' ? remembered.allowed : remembered.refused;
    answers.set(key, { access, until: clock.monotonic() + within });
    const [oldest] = answers.keys();
    if (answers.size > most && oldest !== undefined) answers.delete(oldest);
    return access;
  };
}
