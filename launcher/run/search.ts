// Finds many short byte strings in a stream of long ones: Wu and Manber's search (1994), which skips most bytes.

export interface Search {
  /** Every occurrence of every pattern, overlapping ones too; in no particular order. */
  find(data: Buffer, onFound: (start: number, end: number) => void): void;
  /** The first place from where the rest of `data` is the beginning of a pattern; its length when there is none. */
  border(data: Buffer): number;
}

interface Bucket {
  readonly patterns: Buffer[];
}

const block = 3;
const hashes = 2 ** 16;

/** Patterns shorter than `block` are looked for one by one. */
export function createSearch(patterns: readonly Buffer[]): Search {
  const short = patterns.filter(({ length }) => length < block);
  const long = patterns.filter(({ length }) => length >= block);
  // One by one: a call takes some ten thousand arguments, and a secret may have more lines.
  const longest = patterns.reduce((most, { length }) => Math.max(most, length), 0);
  const window = long.reduce((least, { length }) => Math.min(least, length), 255);
  /** How far the window may move when it ends with a block of this hash: 0 where a pattern's window may end. */
  const shift = new Uint8Array(long.length === 0 ? 0 : hashes).fill(window - block + 1);
  const ends = new Map<number, Bucket>();
  for (const pattern of long) {
    for (let end = block - 1; end < window; end += 1) {
      const hash = hashAt(pattern, end);
      shift[hash] = Math.min(shift[hash] ?? 0, window - 1 - end);
    }
    add(ends, hashAt(pattern, window - 1), pattern);
  }
  const firstBlocks = new Map<number, Bucket>();
  for (const pattern of long) add(firstBlocks, hashAt(pattern, block - 1), pattern);

  return {
    find(data, onFound) {
      for (const pattern of short) {
        for (let at = data.indexOf(pattern); at !== -1; at = data.indexOf(pattern, at + 1))
          onFound(at, at + pattern.length);
      }
      if (long.length === 0) return;
      const { length } = data;
      for (let end = window - 1; end < length;) {
        const move = shift[hashAt(data, end)] ?? 1;
        if (move > 0) {
          end += move;
          continue;
        }
        const start = end - window + 1;
        for (const pattern of ends.get(hashAt(data, end))?.patterns ?? [])
          if (matches(data, start, pattern, pattern.length)) onFound(start, start + pattern.length);
        end += 1;
      }
    },
    border(data) {
      const { length } = data;
      for (let at = Math.max(0, length - longest + 1); at < length; at += 1) {
        const rest = length - at;
        const candidates =
          rest < block ? patterns : (firstBlocks.get(hashAt(data, at + block - 1))?.patterns ?? []);
        for (const pattern of candidates)
          if (pattern.length > rest && matches(data, at, pattern, rest)) return at;
      }
      return length;
    },
  };
}

/** Of the block that ends at `end`. */
function hashAt(data: Buffer, end: number): number {
  return (((data[end - 2] ?? 0) << 8) ^ ((data[end - 1] ?? 0) << 4) ^ (data[end] ?? 0)) & (hashes - 1);
}

/** Whether the first `count` bytes of the pattern stand at `at`. */
function matches(data: Buffer, at: number, pattern: Buffer, count: number): boolean {
  if (at + count > data.length) return false;
  for (let index = 0; index < count; index += 1) if (data[at + index] !== pattern[index]) return false;
  return true;
}

function add(buckets: Map<number, Bucket>, hash: number, pattern: Buffer): void {
  const bucket = buckets.get(hash);
  if (bucket === undefined) buckets.set(hash, { patterns: [pattern] });
  else bucket.patterns.push(pattern);
}
