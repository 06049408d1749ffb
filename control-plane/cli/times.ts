// Times for people. The API speaks Unix seconds.

/** `2026-01-31 12:00:05` in the local time zone. */
export function localTime(unixSeconds: number): string {
  const date = new Date(unixSeconds * 1000);
  const two = (value: number) => String(value).padStart(2, '0');
  const day = `${String(date.getFullYear())}-${two(date.getMonth() + 1)}-${two(date.getDate())}`;
  return `${day} ${two(date.getHours())}:${two(date.getMinutes())}:${two(date.getSeconds())}`;
}

/** `5s`, `12m`, `3h`, `8d`: how long ago, rounded down; a time in the future counts as now. */
export function ago(unixSeconds: number, nowMilliseconds: number): string {
  const seconds = Math.max(0, Math.floor(nowMilliseconds / 1000 - unixSeconds));
  if (seconds < 60) return `${String(seconds)}s`;
  if (seconds < 3600) return `${String(Math.floor(seconds / 60))}m`;
  if (seconds < 86_400) return `${String(Math.floor(seconds / 3600))}h`;
  return `${String(Math.floor(seconds / 86_400))}d`;
}
