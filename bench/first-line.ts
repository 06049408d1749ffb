// From an accepted trigger to the first line of a command stored, beside a bare `docker run` of the same image.
import { execFileSync } from 'node:child_process';
import { triggerRun } from '../control-plane/cli/api/runs.js';
import type { Bench } from './main.js';
import { elapsed, inTurn } from './clock.js';
import { figure } from './figure.js';
import { startPlane, type Plane } from './support/plane.js';
import { noImage, runnerImage } from './support/runner-image.js';

export const bench: Bench = async () => {
  const image = runnerImage();
  if (image === undefined) return noImage;
  const plane = await startPlane();
  try {
    await plane.startLauncher({ SPACELIFT_DEFAULT_RUNNER_IMAGE: image });
    await plane.idle(1);
    const stack = await plane.stack({ planCommands: ['echo first line'] });
    const cookie = await signIn(plane);
    const ours = async () => {
      const { id } = await triggerRun(plane.client, { stack, runType: 'PROPOSED' });
      const time = await elapsed(() => firstLine(plane, cookie, stack, id));
      await plane.idle(1);
      return time;
    };
    const bare = () =>
      elapsed(() =>
        execFileSync('docker', [
          'run',
          '--rm',
          '--init',
          '--entrypoint',
          '/bin/sh',
          image,
          '-c',
          'echo first line',
        ]),
      );
    await ours();
    await bare();
    const samples = await inTurn(9, ours, bare);
    return [
      figure({
        name: 'first-line',
        unit: 'ms',
        samples: samples.ours,
        reference: { what: 'docker run', samples: samples.reference },
        goal: { of: 'ratio', atMost: 1.25 },
      }),
    ];
  } finally {
    await plane.close();
  }
};

async function signIn({ url, key }: Plane): Promise<string> {
  const answer = await fetch(`${url}/sign-in`, {
    method: 'POST',
    body: new URLSearchParams({ id: key.id, secret: key.secret }),
    redirect: 'manual',
  });
  return (answer.headers.get('set-cookie') ?? '').split(';')[0] ?? '';
}

/** Reads the live log, which tells each record when it is durable, until a line of the command comes. */
async function firstLine({ url }: Plane, cookie: string, stack: string, run: string): Promise<void> {
  const end = new AbortController();
  const answer = await fetch(`${url}/stacks/${stack}/runs/${run}/log`, {
    headers: { cookie },
    signal: end.signal,
  });
  let text = '';
  for await (const chunk of answer.body ?? []) {
    text += Buffer.from(chunk as Uint8Array).toString();
    if (text.includes('first line')) break;
  }
  end.abort();
}
