// EC2's instance metadata service, version 2: every question carries a token of the session.
// Source: https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/instancedata-data-retrieval.html
import type { Clock } from '../clock.js';
import { unexpected, type Ask, type Question } from './ask.js';
import { createCloudClock } from './cloud-clock.js';

export interface Ec2Metadata {
  /** The text at a path below `/latest/meta-data/`; undefined when there is none. */
  get(path: string, signal: AbortSignal): Promise<string | undefined>;
  /** The same, when there must be one. */
  need(path: string, signal: AbortSignal): Promise<string>;
  /** A time by EC2's clock (Unix milliseconds), by this machine's clock. */
  local(time: number): number;
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
  const time = createCloudClock(clock);

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
    const text = answer.text.trim();
    // Kept for hours: the page of something in between must not be.
    if (!/^[\x21-\x7e]+$/.test(text))
      throw new Error(`${new URL(question.url).host} answered something else than a session token`);
    token = { text, until: asked + (tokenLife - 60) * 1000 };
    return token.text;
  }

  async function get(path: string, signal: AbortSignal, again = true): Promise<string | undefined> {
    const question: Question = {
      url: `${endpoint}/latest/meta-data/${path}`,
      headers: { 'x-aws-ec2-metadata-token': await currentToken(signal) },
    };
    const answer = await ask(question, signal);
    time.heard(answer.headers);
    if (answer.status === 200) return answer.text;
    if (answer.status === 404) return undefined;
    token = undefined;
    // A token does not outlive a stop and start of the machine.
    if (answer.status === 401 && again) return get(path, signal, false);
    throw unexpected(question, answer);
  }

  return {
    get: (path, signal) => get(path, signal),
    local: (told) => time.local(told),
    async need(path, signal) {
      const text = await get(path, signal);
      if (text === undefined) throw new Error(`the instance metadata has no ${path}`);
      return text;
    },
  };
}
