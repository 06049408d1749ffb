// GitHub: pushes and pull requests, signed in X-Hub-Signature-256.
// https://docs.github.com/en/webhooks/webhook-events-and-payloads
import * as z from 'zod';
import { digestOf, given, payloadOf } from './payload.js';
import { branchName, branchOf, commitId, firstLine, ignoring, noCommit, type Speaker } from './told.js';

const what = "GitHub's delivery";
const paths = z.array(z.string()).default([]);
const repository = z.object({ full_name: z.string() });

const pushSchema = z.object({
  ref: z.string(),
  after: z.string(),
  forced: z.boolean().default(false),
  deleted: z.boolean().default(false),
  repository,
  head_commit: z.object({ message: z.string() }).nullish(),
  commits: z.array(z.object({ added: paths, modified: paths, removed: paths })).nullish(),
});

const pullRequestSchema = z.object({
  action: z.string(),
  repository,
  pull_request: z.object({
    title: z.string().nullish(),
    head: z.object({ ref: branchName, sha: commitId, repo: repository.nullable() }),
  }),
});

/** Commits that a push lists at most; of a longer one not all paths are known. */
const mostCommits = 2048;

/** What says that a pull request has another tip, or is looked at anew. */
const actions: ReadonlySet<string> = new Set(['opened', 'reopened', 'synchronize', 'ready_for_review']);

export const gitHub: Speaker = {
  name: 'GitHub',
  proof: { kind: 'signature', header: 'x-hub-signature-256' },
  // The header is not signed; the body is, and has the time of the push in it.
  ids: (delivery) => given(delivery.header('x-github-delivery'), digestOf(delivery)),
  read(delivery) {
    const event = delivery.header('x-github-event') ?? 'none';
    if (event === 'push') {
      const push = payloadOf(delivery, pushSchema, what);
      const from = push.repository.full_name;
      const branch = branchOf(push.ref);
      if (branch === undefined) return ignoring(from, `${push.ref} is not a branch`);
      if (push.deleted || noCommit.test(push.after))
        return ignoring(from, `the branch ${branch} was deleted`);
      const commits = push.commits ?? [];
      const complete = !push.forced && commits.length > 0 && commits.length < mostCommits;
      const moved = {
        kind: 'push' as const,
        branch,
        commit: push.after,
        title: firstLine(push.head_commit?.message),
        paths: complete
          ? commits.flatMap(({ added, modified, removed }) => [...added, ...modified, ...removed])
          : null,
      };
      return { repository: from, moved: [moved], ignored: [] };
    }
    if (event === 'pull_request') {
      const { action, repository: to, pull_request: request } = payloadOf(delivery, pullRequestSchema, what);
      const { ref, sha, repo } = request.head;
      if (!actions.has(action))
        return ignoring(to.full_name, `a pull request that is ${action} starts nothing`);
      if (repo?.full_name !== to.full_name)
        return ignoring(
          to.full_name,
          `the pull request comes from ${repo?.full_name ?? 'a fork that is gone'}`,
        );
      const title = firstLine(request.title);
      const moved = { kind: 'pull request' as const, branch: ref, commit: sha, title, paths: null };
      return { repository: to.full_name, moved: [moved], ignored: [] };
    }
    return ignoring(null, `the event ${event.slice(0, 100)} starts nothing`);
  },
};
