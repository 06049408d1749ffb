// Secrets are taken out of what a run prints, also when a secret is cut by the border of two chunks.
import { StringDecoder } from 'node:string_decoder';

/** What stands where a secret was. */
export const mask = '***';

export interface Masker {
  /** Takes output as it comes, gives text that may leave the process. The end of a chunk may be kept back. */
  write(bytes: Uint8Array): string;
  /** What was kept back; nothing comes after. */
  end(): string;
}

/**
 * The forms in which a value shows up in output: as it is, its longer lines (a key that a program indents), and
 * as JSON text. Empty ones are none.
 */
export function formsOf(values: Iterable<string>): string[] {
  const forms = new Set<string>();
  for (const value of values) {
    forms.add(value).add(value.trim()).add(JSON.stringify(value).slice(1, -1));
    const lines = value.split(/\r?\n/).map((line) => line.trim());
    // A short line of a long value, such as a bracket, is no secret and would blot out half the log.
    if (lines.length > 1) for (const line of lines) if (line.length >= 8) forms.add(line);
  }
  forms.delete('');
  return [...forms];
}

/** Masks every occurrence of each form, overlapping ones too. Bytes that are not UTF-8 become U+FFFD. */
export function createMasker(forms: readonly string[]): Masker {
  const decoder = new StringDecoder('utf8');
  const ends = new Map<string, readonly string[]>();
  for (const form of forms) {
    const last = form.slice(0, 1);
    ends.set(last, [...(ends.get(last) ?? []), form]);
  }
  const longest = Math.max(0, ...forms.map(({ length }) => length));
  let held = '';
  /** So many characters at the beginning of `held` belong to a secret whose mask is out already. */
  let covered = 0;

  /** Where a secret may begin that the next chunk completes. */
  function borderOf(text: string): number {
    for (let index = Math.max(0, text.length - longest + 1); index < text.length; index += 1) {
      const candidates = ends.get(text.charAt(index));
      if (candidates === undefined) continue;
      const rest = text.slice(index);
      if (candidates.some((form) => form.length > rest.length && form.startsWith(rest))) return index;
    }
    return text.length;
  }

  function release(text: string, border: number): string {
    let given = '';
    let position = 0;
    for (const [start, end] of intervals(text, forms, covered)) {
      // A secret that began in an earlier chunk has its mask already.
      const begun = start === 0 && covered > 0;
      if (start >= border && !begun) break;
      given += text.slice(position, start);
      if (!begun) given += mask;
      position = end;
    }
    covered = Math.max(0, position - border);
    held = text.slice(border);
    return given + text.slice(position, Math.max(position, border));
  }

  return {
    write(bytes) {
      const text = held + decoder.write(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength));
      if (longest === 0) return text;
      return release(text, borderOf(text));
    },
    end() {
      const text = held + decoder.end();
      return longest === 0 ? text : release(text, text.length);
    },
  };
}

/** Where secrets stand, in order, what overlaps joined. `covered` counts as one at the beginning. */
function intervals(text: string, forms: readonly string[], covered: number): [number, number][] {
  const found: [number, number][] = covered > 0 ? [[0, covered]] : [];
  for (const form of forms) {
    for (let at = text.indexOf(form); at !== -1; at = text.indexOf(form, at + 1))
      found.push([at, at + form.length]);
  }
  if (found.length < 2) return found;
  found.sort(([a], [b]) => a - b);
  const joined: [number, number][] = [];
  for (const [start, end] of found) {
    const last = joined.at(-1);
    if (last !== undefined && start < last[1]) last[1] = Math.max(last[1], end);
    else joined.push([start, end]);
  }
  return joined;
}
