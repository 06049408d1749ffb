// Pages of a list that is at hand: `first` entries after a cursor, as clients of connections expect.
import { PoolwrightError } from '../../protocol/errors.js';

export interface SearchInput {
  readonly first?: number | null;
  readonly after?: string | null;
  readonly fullTextSearch?: string | null;
}

export interface Connection<Node> {
  readonly edges: readonly { readonly cursor: string; readonly node: Node }[];
  readonly pageInfo: {
    readonly endCursor: string | null;
    readonly hasNextPage: boolean;
    readonly hasPreviousPage: boolean;
  };
}

const usual = 50;
const most = 500;

/** Throws INVALID_ARGUMENT. The cursor of an entry is its id; an entry that is gone starts the next page all the same. */
export function pageOf<Node>(
  nodes: readonly Node[],
  idOf: (node: Node) => string,
  { first, after }: SearchInput,
): Connection<Node> {
  const size = first ?? usual;
  if (size < 0 || size > most) {
    throw new PoolwrightError(
      'INVALID_ARGUMENT',
      `Expected "first" between 0 and ${String(most)}, got ${String(size)}.`,
    );
  }
  const start = after == null || after === '' ? 0 : nodes.findIndex((node) => idOf(node) === after) + 1;
  const edges = nodes.slice(start, start + size).map((node) => ({ cursor: idOf(node), node }));
  return {
    edges,
    pageInfo: {
      endCursor: edges.at(-1)?.cursor ?? null,
      hasNextPage: start + size < nodes.length,
      hasPreviousPage: start > 0,
    },
  };
}
