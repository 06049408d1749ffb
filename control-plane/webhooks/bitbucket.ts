// Bitbucket, Cloud and Data Center: pushes and pull requests, signed in X-Hub-Signature.
// https://support.atlassian.com/bitbucket-cloud/docs/event-payloads/
// https://confluence.atlassian.com/bitbucketserver/event-payload-938025882.html
import * as z from 'zod';
import { digestOf, given, payloadOf } from './payload.js';
import {
  branchName,
  commitId,
  firstLine,
  ignoring,
  type Delivery,
  type Moved,
  type Speaker,
  type Told,
} from './told.js';

const what = "Bitbucket's delivery";

const cloudRepository = z.object({ full_name: z.string() });
const cloudPushSchema = z.object({
  repository: cloudRepository,
  push: z.object({
    changes: z.array(
      z.object({
        new: z
          .object({
            type: z.string(),
            name: z.string(),
            target: z.object({ hash: commitId, message: z.string().nullish() }),
          })
          .nullish(),
      }),
    ),
  }),
});
const cloudRequestSchema = z.object({
  repository: cloudRepository,
  pullrequest: z.object({
    title: z.string().nullish(),
    source: z.object({
      branch: z.object({ name: branchName }),
      /** Twelve digits or all of them. */
      commit: z.object({ hash: z.string() }),
      repository: cloudRepository.nullish(),
    }),
  }),
});

const serverRepository = z.object({ slug: z.string(), project: z.object({ key: z.string() }) });
const serverPushSchema = z.object({
  repository: serverRepository,
  changes: z.array(
    z.object({
      ref: z.object({ displayId: z.string(), type: z.string() }),
      toHash: z.string(),
      type: z.string(),
    }),
  ),
});
const serverRequestSchema = z.object({
  pullRequest: z.object({
    title: z.string().nullish(),
    fromRef: z.object({ displayId: branchName, latestCommit: commitId, repository: serverRepository }),
    toRef: z.object({ repository: serverRepository }),
  }),
});

const pathOf = ({ slug, project }: z.infer<typeof serverRepository>) => `${project.key}/${slug}`;

const cloudPush = (delivery: Delivery): Told => {
  const { repository, push } = payloadOf(delivery, cloudPushSchema, what);
  const moved: Moved[] = [];
  const ignored: string[] = [];
  for (const { new: tip } of push.changes) {
    if (tip == null) ignored.push('a branch or tag was deleted');
    else if (tip.type !== 'branch') ignored.push(`${tip.name} is not a branch`);
    else {
      const { hash: commit, message } = tip.target;
      moved.push({ kind: 'push', branch: tip.name, commit, title: firstLine(message), paths: null });
    }
  }
  return { repository: repository.full_name, moved, ignored };
};

const cloudRequest = (delivery: Delivery): Told => {
  const { repository, pullrequest } = payloadOf(delivery, cloudRequestSchema, what);
  const { branch, commit, repository: from } = pullrequest.source;
  if (from?.full_name !== repository.full_name)
    return ignoring(
      repository.full_name,
      `the pull request comes from ${from?.full_name ?? 'a fork that is gone'}`,
    );
  // Cloud names the commit by its first digits only; the push that brought it has started the run already.
  if (!commitId.safeParse(commit.hash).success)
    return ignoring(repository.full_name, 'the pull request does not name its whole commit; its push does');
  const title = firstLine(pullrequest.title);
  const moved: Moved = { kind: 'pull request', branch: branch.name, commit: commit.hash, title, paths: null };
  return { repository: repository.full_name, moved: [moved], ignored: [] };
};

const serverPush = (delivery: Delivery): Told => {
  const { repository, changes } = payloadOf(delivery, serverPushSchema, what);
  const moved: Moved[] = [];
  const ignored: string[] = [];
  for (const { ref, toHash, type } of changes) {
    if (ref.type !== 'BRANCH') ignored.push(`${ref.displayId} is not a branch`);
    else if (type === 'DELETE') ignored.push(`the branch ${ref.displayId} was deleted`);
    else moved.push({ kind: 'push', branch: ref.displayId, commit: toHash, title: null, paths: null });
  }
  return { repository: pathOf(repository), moved, ignored };
};

const serverRequest = (delivery: Delivery): Told => {
  const { fromRef, toRef, title } = payloadOf(delivery, serverRequestSchema, what).pullRequest;
  const path = pathOf(toRef.repository);
  if (pathOf(fromRef.repository) !== path)
    return ignoring(path, `the pull request comes from ${pathOf(fromRef.repository)}`);
  const { displayId: branch, latestCommit: commit } = fromRef;
  const moved: Moved = { kind: 'pull request', branch, commit, title: firstLine(title), paths: null };
  return { repository: path, moved: [moved], ignored: [] };
};

const events: Readonly<Record<string, (delivery: Delivery) => Told>> = {
  'repo:push': cloudPush,
  'pullrequest:created': cloudRequest,
  'pullrequest:updated': cloudRequest,
  'repo:refs_changed': serverPush,
  'pr:opened': serverRequest,
  'pr:from_ref_updated': serverRequest,
};

export const bitbucket: Speaker = {
  name: 'Bitbucket',
  proof: { kind: 'signature', header: 'x-hub-signature' },
  // The headers are not signed; the body is. That of Cloud has no time in it: a branch that goes from one commit to
  // another for the second time tells the same, and counts as told. Data Center's has the time of the push.
  ids: (delivery) =>
    given(delivery.header('x-request-uuid') ?? delivery.header('x-request-id'), digestOf(delivery)),
  read(delivery) {
    const event = delivery.header('x-event-key') ?? 'none';
    const read = Object.hasOwn(events, event) ? events[event] : undefined;
    return read?.(delivery) ?? ignoring(null, `the event ${event.slice(0, 100)} starts nothing`);
  },
};
