// GitLab: pushes and merge requests; the secret itself comes in X-Gitlab-Token.
// https://docs.gitlab.com/user/project/integrations/webhook_events/
import * as z from 'zod';
import { digestOf, given, payloadOf } from './payload.js';
import { branchName, branchOf, commitId, firstLine, ignoring, noCommit, type Speaker } from './told.js';

const what = "GitLab's delivery";
const paths = z.array(z.string()).default([]);
const project = z.object({ path_with_namespace: z.string() });

const pushSchema = z.object({
  ref: z.string(),
  after: z.string(),
  before: z.string(),
  project,
  total_commits_count: z.int().default(0),
  commits: z
    .array(z.object({ id: z.string(), message: z.string(), added: paths, modified: paths, removed: paths }))
    .default([]),
});

const mergeRequestSchema = z.object({
  project,
  object_attributes: z.object({
    action: z.string().nullish(),
    title: z.string().nullish(),
    source_branch: branchName,
    source: project.nullable(),
    last_commit: z.object({ id: commitId }),
    /** Set by an update that brings commits, and by no other. */
    oldrev: z.string().nullish(),
  }),
});

export const gitLab: Speaker = {
  name: 'GitLab',
  proof: { kind: 'token', header: 'x-gitlab-token' },
  // The same for each try of one delivery, from GitLab 17.4 on.
  ids: (delivery) => given(delivery.header('idempotency-key') ?? digestOf(delivery)),
  read(delivery) {
    const event = delivery.header('x-gitlab-event') ?? 'none';
    if (event === 'Push Hook') {
      const push = payloadOf(delivery, pushSchema, what);
      const from = push.project.path_with_namespace;
      const branch = branchOf(push.ref);
      if (branch === undefined) return ignoring(from, `${push.ref} is not a branch`);
      if (noCommit.test(push.after)) return ignoring(from, `the branch ${branch} was deleted`);
      const { commits } = push;
      // It lists 20 commits at most, and of a branch that was just made not those that others have.
      const complete =
        commits.length > 0 && commits.length === push.total_commits_count && !noCommit.test(push.before);
      const moved = {
        kind: 'push' as const,
        branch,
        commit: push.after,
        title: firstLine(commits.find(({ id }) => id === push.after)?.message),
        paths: complete
          ? commits.flatMap(({ added, modified, removed }) => [...added, ...modified, ...removed])
          : null,
      };
      return { repository: from, moved: [moved], ignored: [] };
    }
    if (event === 'Merge Request Hook') {
      const { project: to, object_attributes: request } = payloadOf(delivery, mergeRequestSchema, what);
      const path = to.path_with_namespace;
      const action = request.action ?? 'unknown';
      const hasNewTip =
        ['open', 'reopen'].includes(action) || (action === 'update' && request.oldrev != null);
      if (!hasNewTip)
        return ignoring(path, `a merge request with the action ${action} and the same tip starts nothing`);
      if (request.source?.path_with_namespace !== path)
        return ignoring(
          path,
          `the merge request comes from ${request.source?.path_with_namespace ?? 'a fork that is gone'}`,
        );
      const moved = {
        kind: 'pull request' as const,
        branch: request.source_branch,
        commit: request.last_commit.id,
        title: firstLine(request.title),
        paths: null,
      };
      return { repository: path, moved: [moved], ignored: [] };
    }
    return ignoring(null, `the event ${event.slice(0, 100)} starts nothing`);
  },
};
