// EC2's instance metadata service, version 2: every question carries a token of the session.
// Source: https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/instancedata-data-retrieval.html
import type { Clock } from '../clock.js';
import { unexpected, type Ask, type Question } from './ask.js';

export interface Ec2Metadata {
  /** The text at a path below `/latest/meta-data/`; undefined when there is none. */
  get(path: string, signal: AbortSignal): Promise<string | undefined>;
  /** The same, when there must be one. */
  need(path: string, signal: AbortSignal): Promise<string>;
}

/** Seconds; the most that the service gives. */
const tokenLife = 21_600;

export function createEc2Metadata({
  endpoint,
  ask,
  clock,
}: {
  readonly endpoint: string;
  readonly ask: Ask;
  readonly clock: Clock;
}): Ec2Metadata {
  let token: { readonly text: string; readonly until: number } | undefined;

  async function currentToken(signal: AbortSignal): Promise<string> {
    if (token !== undefined && clock.monotonic() < token.until) return token.text;
    const question: Question = {
      method: 'PUT',
      url: `${endpoint}/latest/api/token`,
      headers: { 'x-aws-ec2-metadata-token-ttl-seconds': String(tokenLife) },
    };
    const asked = clock.monotonic();
    const answer = await ask(question, signal);
    if (answer.status !== 200) throw unexpected(question, answer);
    token = { text: answer.text, until: asked + (tokenLife - 60) * 1000 };
    return token.text;
  }

  async function get(path: string, signal: AbortSignal, again = true): Promise<string | undefined> {
    const question: Question = {
      url: `${endpoint}/latest/meta-data/${path}`,
      headers: { 'x-aws-ec2-metadata-token': await currentToken(signal) },
    };
    const answer = await ask(question, signal);
    if (answer.status === 200) return answer.text;
    if (answer.status === 404) return undefined;
    token = undefined;
    // A token does not outlive a stop and start of the machine.
    if (answer.status === 401 && again) return get(path, signal, false);
    throw unexpected(question, answer);
  }

  return {
    get: (path, signal) => get(path, signal),
    async need(path, signal) {
      const text = await get(path, signal);
      if (text === undefined) throw new Error(`the instance metadata has no ${path}`);
      return text;
    },
  };
}
