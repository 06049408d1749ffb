// Secrets are taken out of what a run prints, also when a secret is cut by the border of two chunks.
import { createSearch, type Search } from './search.js';

/** What stands where a secret was. */
export const mask = '***';

/** What has come in but is not out yet. A masker that starts there with the same secrets goes on the same way. */
export interface Pending {
  /** Bytes kept back, because a secret or a character may begin in them. */
  readonly bytes: number;
  /** So many of them belong to a secret whose mask is out already. */
  readonly covered: number;
}

export interface Masker {
  /** Takes output as it comes, gives text that may leave the process. The end of a chunk may be kept back. */
  write(bytes: Uint8Array): string;
  /** What was kept back; nothing comes after. */
  end(): string;
  readonly pending: Pending;
}

/**
 * The forms in which a value shows up in output: as it is, its longer lines (a key that a program indents), and
 * as JSON text. Blank ones are none: they would take the blanks out of the whole log.
 */
export function formsOf(values: Iterable<string>): string[] {
  const forms = new Set<string>();
  for (const value of values) {
    if (value.trim() === '') continue;
    forms.add(value).add(value.trim());
    for (const form of jsonForms(value)) forms.add(form);
    const lines = value.split(/\r?\n/).map((line) => line.trim());
    // A short line of a long value, such as a bracket, is no secret and would blot out half the log.
    if (lines.length > 1) for (const line of lines) if (line.length >= 8) forms.add(line);
  }
  return [...forms];
}

/**
 * As programs write it in JSON: plainly; as those in Go do (the tools of runs among them), for which a page of HTML might
 * be around it; and as those in Python do, in ASCII alone.
 */
function jsonForms(value: string): string[] {
  const plain = JSON.stringify(value).slice(1, -1);
  return [
    plain,
    plain.replaceAll(/[<>&\u2028\u2029]/g, escaped),
    plain.replaceAll(/[\u0080-\uffff]/g, escaped),
  ];
}

/** A unit of UTF-16. */
function escaped(unit: string): string {
  return `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`;
}

/** A masker for one stream; `covered`: see `Pending`. */
export type MakeMasker = (covered?: number) => Masker;

/**
 * Masks every occurrence of each form, overlapping ones too. Works on bytes, so that what is kept back can be
 * counted in the bytes of the output; bytes that are not UTF-8 become U+FFFD.
 */
export function maskersOf(forms: readonly string[]): MakeMasker {
  const search = createSearch(forms.map((form) => Buffer.from(form)));
  return (covered = 0) => createMasker(search, covered);
}

function createMasker(search: Search, covered: number): Masker {
  let held: Buffer = Buffer.alloc(0);

  function release(data: Buffer, border: number): string {
    let given = '';
    let position = 0;
    const found: [number, number][] = covered > 0 ? [[0, covered]] : [];
    search.find(data, (start, end) => found.push([start, end]));
    for (const [start, end] of joined(found)) {
      // A secret that began in an earlier chunk has its mask already.
      const begun = start === 0 && covered > 0;
      if (start >= border && !begun) break;
      given += data.toString('utf8', position, start);
      if (!begun) given += mask;
      position = end;
    }
    covered = Math.max(0, position - border);
    // A copy: the bytes belong to whoever wrote them.
    held = Buffer.from(data.subarray(border));
    return given + data.toString('utf8', position, Math.max(position, border));
  }

  return {
    write(bytes) {
      const chunk = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
      const data = held.length === 0 ? chunk : Buffer.concat([held, chunk]);
      return release(data, Math.min(search.border(data), wholeCharacters(data)));
    },
    end: () => release(held, held.length),
    get pending() {
      return { bytes: held.length, covered };
    },
  };
}

/** In order, what overlaps joined. */
function joined(found: [number, number][]): [number, number][] {
  if (found.length < 2) return found;
  found.sort(([a], [b]) => a - b);
  const result: [number, number][] = [];
  for (const [start, end] of found) {
    const last = result.at(-1);
    if (last !== undefined && start < last[1]) last[1] = Math.max(last[1], end);
    else result.push([start, end]);
  }
  return result;
}

/** Where the last character begins when its end is not there yet; otherwise the length. */
function wholeCharacters(data: Buffer): number {
  for (let back = 1; back <= Math.min(3, data.length); back += 1) {
    const byte = data[data.length - back] ?? 0;
    if (byte < 0x80) break;
    if (byte < 0xc0) continue;
    const needed = byte >= 0xf0 ? 4 : byte >= 0xe0 ? 3 : 2;
    return needed > back ? data.length - back : data.length;
  }
  return data.length;
}
