// Waits for something that other processes or sockets bring about.

/** Milliseconds between two looks at least, and at most. */
const pause = { least: 5, most: 500 } as const;

/**
 * Resolves with the first value that is neither undefined nor false; fails after `timeout` milliseconds. Looks one fifth of
 * the time, so that what looks does not take the machine from what is waited for.
 */
export async function until<Value>(
  look: () => Value | undefined | false | Promise<Value | undefined | false>,
  what: string,
  timeout = 10_000,
): Promise<Value> {
  const end = performance.now() + timeout;
  for (;;) {
    const begun = performance.now();
    const value = await look();
    const took = performance.now() - begun;
    if (value !== undefined && value !== false) return value;
    if (performance.now() > end) throw new Error(`Waited ${String(timeout)} ms for ${what}`);
    const next = Math.min(Math.max(pause.least, 4 * took), pause.most);
    await new Promise((resolve) => setTimeout(resolve, next));
  }
}
