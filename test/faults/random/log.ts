// The log of a run in one of its states, as the API gives it.
import * as z from 'zod';
import type { ApiClient } from '../../../control-plane/cli/api/client.js';

const schema = z.object({
  stack: z.object({
    run: z.object({
      logs: z.object({
        hasMore: z.boolean(),
        nextToken: z.string().nullable(),
        messages: z.array(z.object({ message: z.string() })),
      }),
    }),
  }),
});

/** `visit`: which one of the state, from 1; default: the last. */
export async function readLog(
  client: ApiClient,
  { stack, run }: { readonly stack: string; readonly run: string },
  state: string,
  visit: number | null = null,
): Promise<string> {
  let text = '';
  for (let token: string | null = null; ;) {
    const answer: z.infer<typeof schema> = await client.request(
      `query ($stack: ID!, $run: ID!, $state: RunState!, $token: String, $visit: Int) {
        stack(id: $stack) { run(id: $run) { logs(state: $state, token: $token, stateVersion: $visit) {
          hasMore nextToken messages { message }
        } } }
      }`,
      { stack, run, state, token, visit },
      schema,
    );
    const { logs } = answer.stack.run;
    text += logs.messages.map(({ message }) => message).join('');
    token = logs.nextToken;
    if (!logs.hasMore) return text;
  }
}
