// Everything else that can send a signed request: a Git hook, a pipeline, a server of another kind. docs/webhooks.md has
// the body.
import * as z from 'zod';
import { digestOf, payloadOf } from './payload.js';
import { branchName, commitId, firstLine, type Speaker } from './told.js';

const schema = z.strictObject({
  branch: branchName,
  commit: commitId,
  title: z.string().max(10_000).nullish(),
  repository: z.string().max(1024).nullish(),
  paths: z.array(z.string()).max(100_000).nullish(),
  pullRequest: z.boolean().default(false),
  /** Of what it tells: with it, a run is wanted also where there is one of the commit. */
  id: z.string().max(200).nullish(),
});

export const generic: Speaker = {
  name: 'Git',
  proof: { kind: 'signature', header: 'x-hub-signature-256' },
  ids: (delivery) => [digestOf(delivery)],
  read(delivery) {
    const { branch, commit, title, repository, paths, pullRequest, id } = payloadOf(
      delivery,
      schema,
      'The delivery',
    );
    const kind = pullRequest ? 'pull request' : 'push';
    const again = id != null && id !== '';
    const moved = { kind, branch, commit, title: firstLine(title), paths: paths ?? null, again } as const;
    return { repository: repository ?? null, moved: [moved], ignored: [] };
  },
};
