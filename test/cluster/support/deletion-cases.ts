// What is deleted, what its worker does then, and what the run has to come to.

const targets = [
  ...(['pool', 'pool by force', 'worker', 'worker by force', 'pod', 'pod by force'] as const),
  ...(['Secret of the pool', 'Secret of the run', 'namespace', 'namespace all at once'] as const),
] as const;
const states = ['idle', 'assigned', 'pending', 'running', 'ending'] as const;
export interface Case {
  readonly target: (typeof targets)[number];
  readonly state: (typeof states)[number];
  readonly away: boolean;
}

/** What the run comes to. `waits`: in the queue, since its pool has no worker any more. */
export interface Expected {
  readonly state: 'FINISHED' | 'FAILED' | 'waits';
  /** What one entry of its history says. */
  readonly cause?: RegExp;
  /** Pods that it had. Default: 1. */
  readonly pods?: number;
}

const deletedPod = /Pod \S+: it was deleted/;
const forcedPod = /Pod \S+: it was removed by force/;

export function expectedOf({ target, state, away }: Case): Expected | undefined {
  if (state === 'idle') return undefined;
  const finished: Expected = { state: 'FINISHED' };
  if (state === 'ending') return finished;
  /** The pod of a run that has not begun is followed by another one. */
  const byPod = (cause: RegExp): Expected =>
    state === 'pending' ? { ...finished, cause, pods: 2 } : { state: 'FAILED', cause };
  if (target === 'pod') return byPod(deletedPod);
  if (target === 'pod by force') return byPod(forcedPod);
  if (target.startsWith('namespace')) {
    if (state === 'assigned') return { state: 'waits', cause: /is being terminated/, pods: 0 };
    return { state: state === 'pending' ? 'waits' : 'FAILED', cause: deletedPod };
  }
  if (target !== 'worker by force' || state === 'assigned') return finished;
  // Nobody is left who could say it: once its time to return is over, the control plane does.
  return away ? undefined : byPod(deletedPod);
}

export const cases = (away: boolean): Case[] =>
  targets.flatMap((target) =>
    states
      .filter((state) => {
        if (target.startsWith('pod')) return state !== 'idle' && state !== 'assigned';
        if (target === 'Secret of the run') return state !== 'idle';
        return true;
      })
      .filter((state) => !away || state === 'idle' || state === 'running')
      .filter((state) => target !== 'pool by force' || state === 'idle' || state === 'running')
      .filter((state) => target !== 'namespace all at once' || state === 'pending' || state === 'running')
      .map((state) => ({ target, state, away })),
  );
