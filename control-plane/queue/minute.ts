// A moment in sentences for people.

/** `2026-01-31 12:00 UTC` of Unix milliseconds. */
export function minuteOf(at: number): string {
  return `${new Date(at).toISOString().slice(0, 16).replace('T', ' ')} UTC`;
}
