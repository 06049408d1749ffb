// Waits for something that other processes or sockets bring about.

/** Resolves with the first value that is neither undefined nor false; fails after `timeout` milliseconds. */
export async function until<Value>(
  look: () => Value | undefined | false | Promise<Value | undefined | false>,
  what: string,
  timeout = 10_000,
): Promise<Value> {
  const end = performance.now() + timeout;
  for (;;) {
    const value = await look();
    if (value !== undefined && value !== false) return value;
    if (performance.now() > end) throw new Error(`Waited ${String(timeout)} ms for ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}
