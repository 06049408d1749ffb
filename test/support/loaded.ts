// What a process has loaded of a library.
import { createRequire } from 'node:module';

/** Modules of OpenTelemetry in this process, but those of its bare interface, which the metrics' library brings along. */
export function loadedOfTraces(): number {
  const files = Object.keys(createRequire(import.meta.url).cache);
  return files.filter((file) => /@opentelemetry\/(?!api\/)/.test(file)).length;
}
