// Searches with predicates, full text, order and pages. A page starts after the row that the page before ended with,
// by that row's own keys: rows that come, go or move meanwhile never make another one appear twice or be left out.
import { sql, type Kysely, type RawBuilder } from 'kysely';
import * as z from 'zod';
import { PoolwrightError } from '../../protocol/errors.js';
import type { Database } from './schema.js';

export interface Predicate {
  readonly field: string;
  readonly constraint: {
    readonly booleanEquals?: readonly boolean[] | null;
    readonly enumEquals?: readonly string[] | null;
    readonly stringMatches?: readonly string[] | null;
  };
  readonly exclude?: boolean | null;
}

export interface SearchInput {
  readonly first?: number | null;
  readonly after?: string | null;
  readonly fullTextSearch?: string | null;
  readonly predicates?: readonly Predicate[] | null;
  readonly orderBy?: { readonly field: string; readonly direction?: 'ASC' | 'DESC' | null } | null;
}

export type Expression = RawBuilder<unknown>;

/** What can be searched for in one kind of thing. Expressions are of columns of the rows and never null. */
export interface Searchable {
  readonly fields: Readonly<
    Record<string, { readonly kind: 'boolean' | 'text'; readonly is: Expression } | Matcher>
  >;
  /** Full text is looked for in this; lower case. */
  readonly text: Expression;
  /** Field → what orders by it, the most significant first. The row's id decides among equals. */
  readonly orders: Readonly<Record<string, readonly Expression[]>>;
  readonly usualOrder: { readonly field: string; readonly direction: 'ASC' | 'DESC' };
  readonly id: Expression;
}

/** A field that compares in a way of its own. */
export interface Matcher {
  readonly kind: 'matcher';
  readonly matches: (value: string) => Expression;
}

export interface Page<Row> {
  readonly edges: readonly { readonly cursor: string; readonly node: Row }[];
  readonly pageInfo: {
    readonly endCursor: string | null;
    readonly hasNextPage: boolean;
    readonly hasPreviousPage: boolean;
  };
}

export const usualPage = 50;
export const largestPage = 500;

/** Rows of `from`, an SQL query, that the input asks for. Throws INVALID_ARGUMENT that says what is possible. */
export async function searchRows<Row extends object>(
  db: Kysely<Database>,
  from: RawBuilder<Row>,
  searchable: Searchable,
  input: SearchInput,
): Promise<Page<Row>> {
  const search = searchOf(searchable, input);
  const rows = await rowsOf(db, from, search, search.keys, search.after, search.size + 1);
  return pageOfRows(rows, search, input);
}

/**
 * The same over several queries whose rows follow each other, each in an order that one of its indexes has: the first
 * key of the order is the number of the query, from 0. Reads no more rows than it answers, however many there are.
 */
export async function searchOneAfterTheOther<Row extends object>(
  db: Kysely<Database>,
  parts: readonly RawBuilder<Row>[],
  searchable: Searchable,
  input: SearchInput,
): Promise<Page<Row>> {
  const search = searchOf(searchable, input);
  const [place, ...after] = search.after ?? [0];
  const rows: Found<Row>[] = [];
  for (const [number, part] of parts.entries()) {
    const left = search.size + 1 - rows.length;
    if (left === 0 || number < Number(place)) continue;
    const from = number === place && search.after !== undefined ? after : undefined;
    rows.push(...(await rowsOf(db, part, search, search.keys.slice(1), from, left)));
  }
  return pageOfRows(rows, search, input);
}

interface Search {
  readonly field: string;
  readonly direction: 'ASC' | 'DESC';
  readonly size: number;
  readonly keys: readonly Expression[];
  readonly conditions: readonly Expression[];
  /** Keys of the row that the page follows. */
  readonly after: readonly Key[] | undefined;
}

function searchOf(searchable: Searchable, input: SearchInput): Search {
  const size = sizeOf(input);
  const field = input.orderBy?.field ?? searchable.usualOrder.field;
  const direction =
    input.orderBy?.direction ?? (input.orderBy == null ? searchable.usualOrder.direction : 'ASC');
  const order = own(searchable.orders, field);
  if (order === undefined) throw unknownField('order by', field, Object.keys(searchable.orders));
  const keys = [...order, searchable.id];
  const conditions = [...predicatesOf(searchable, input), textOf(searchable, input)];
  const follows = input.after != null && input.after !== '';
  const after = follows ? parseCursor(input.after, { field, direction, length: keys.length }) : undefined;
  return { field, direction, size, keys, conditions, after };
}

type Found<Row> = Row & { readonly sort_keys: Key[] };

/** `keys`: those that rows are ordered by; all of the search come with each row. */
async function rowsOf<Row extends object>(
  db: Kysely<Database>,
  from: RawBuilder<Row>,
  search: Search,
  keys: readonly Expression[],
  after: readonly Key[] | undefined,
  limit: number,
): Promise<Found<Row>[]> {
  const ascending = search.direction === 'ASC';
  const conditions = [...search.conditions];
  if (after !== undefined) {
    const place = sql.join(after.map((key) => sql`${key}`));
    conditions.push(sql`(${sql.join(keys)}) ${ascending ? sql`>` : sql`<`} (${place})`);
  }
  const sorted = keys.map((key) => (ascending ? sql`${key} asc` : sql`${key} desc`));
  const { rows } = await sql<Found<Row>>`
    select found.*, jsonb_build_array(${sql.join(search.keys)}) as sort_keys
    from (${from}) as found
    where ${sql.join(conditions, sql` and `)}
    order by ${sql.join(sorted)} limit ${limit}`.execute(db);
  return rows;
}

function pageOfRows<Row extends object>(
  rows: readonly Found<Row>[],
  { field, direction, size }: Search,
  input: SearchInput,
): Page<Row> {
  const edges = rows.slice(0, size).map(({ sort_keys, ...node }) => ({
    cursor: formatCursor({ field, direction, keys: sort_keys }),
    node: node as unknown as Row,
  }));
  return pageOf(edges, rows.length > size, input);
}

export function pageOf<Row>(
  edges: Page<Row>['edges'],
  hasNextPage: boolean,
  { after }: Pick<SearchInput, 'after'>,
): Page<Row> {
  const hasPreviousPage = after != null && after !== '';
  return { edges, pageInfo: { endCursor: edges.at(-1)?.cursor ?? null, hasNextPage, hasPreviousPage } };
}

/** Throws INVALID_ARGUMENT. */
export function sizeOf({ first }: Pick<SearchInput, 'first'>): number {
  const size = first ?? usualPage;
  if (size >= 0 && size <= largestPage) return size;
  throw new PoolwrightError(
    'INVALID_ARGUMENT',
    `Expected "first" between 0 and ${String(largestPage)}, got ${String(size)}.`,
  );
}

function textOf({ text }: Searchable, { fullTextSearch }: SearchInput): Expression {
  const words = (fullTextSearch ?? '')
    .toLowerCase()
    .split(/\s+/)
    .filter((word) => word !== '');
  if (words.length === 0) return sql`true`;
  return sql.join(
    words.slice(0, 20).map((word) => sql`${text} like ${`%${escaped(word)}%`}`),
    sql` and `,
  );
}

/** For `like`: the characters that mean something there mean themselves. */
export function escaped(text: string): string {
  return text.replace(/[\\%_]/g, (character) => `\\${character}`);
}

/** What an object has under a name that somebody gave; not what every object has, such as `constructor`. */
function own<T>(of: Readonly<Record<string, T>>, name: string): T | undefined {
  return Object.hasOwn(of, name) ? of[name] : undefined;
}

function predicatesOf(searchable: Searchable, { predicates }: SearchInput): Expression[] {
  return (predicates ?? []).map((predicate) => {
    const field = own(searchable.fields, predicate.field);
    if (field === undefined) throw unknownField('search by', predicate.field, Object.keys(searchable.fields));
    const condition = conditionOf(predicate, field);
    return predicate.exclude === true ? sql`not (${condition})` : condition;
  });
}

function conditionOf(
  { field: name, constraint }: Predicate,
  field: Searchable['fields'][string],
): Expression {
  const { booleanEquals, enumEquals, stringMatches } = constraint;
  const texts = [enumEquals, stringMatches].filter((values) => values != null);
  const wrongKind = field.kind === 'boolean' ? texts.length > 0 : booleanEquals != null;
  if (wrongKind || (texts.length === 0 && booleanEquals == null)) {
    const expected = field.kind === 'boolean' ? 'booleanEquals' : 'stringMatches or enumEquals';
    throw new PoolwrightError('INVALID_ARGUMENT', `Expected ${expected} as the constraint of "${name}".`);
  }
  const parts: Expression[] = texts.map((values) => anyOf(values.map((value) => matchOf(field, value))));
  if (booleanEquals != null && field.kind === 'boolean') {
    parts.push(anyOf(booleanEquals.map((value) => sql`${field.is} = ${value}`)));
  }
  return sql.join(parts, sql` and `);
}

function matchOf(field: Searchable['fields'][string], value: string): Expression {
  if (field.kind === 'matcher') return field.matches(value);
  return sql`lower(${field.is}) = ${value.toLowerCase()}`;
}

function anyOf(conditions: readonly Expression[]): Expression {
  return conditions.length === 0 ? sql`false` : sql`(${sql.join(conditions, sql` or `)})`;
}

function unknownField(what: string, field: string, known: readonly string[]): PoolwrightError {
  return new PoolwrightError(
    'INVALID_ARGUMENT',
    `Cannot ${what} "${field.slice(0, 100)}". Expected one of: ${known.join(', ')}.`,
  );
}

const cursorSchema = z.tuple([
  z.string(),
  z.enum(['ASC', 'DESC']),
  z.array(z.union([z.string(), z.number(), z.boolean()])).min(1),
]);
type Key = string | number | boolean;

export function formatCursor(place: {
  readonly field: string;
  readonly direction: 'ASC' | 'DESC';
  readonly keys: readonly Key[];
}): string {
  return Buffer.from(JSON.stringify([place.field, place.direction, place.keys])).toString('base64url');
}

/** Throws INVALID_ARGUMENT for what is no cursor, and for one of a search in another order. */
export function parseCursor(
  text: string,
  expected: { readonly field: string; readonly direction: 'ASC' | 'DESC'; readonly length: number },
): readonly Key[] {
  let value: unknown;
  try {
    value = JSON.parse(Buffer.from(text, 'base64url').toString());
  } catch {
    // Not ours: the check below says so.
  }
  const parsed = cursorSchema.safeParse(value);
  if (parsed.success) {
    const [field, direction, keys] = parsed.data;
    if (field === expected.field && direction === expected.direction && keys.length === expected.length)
      return keys;
  }
  throw new PoolwrightError(
    'INVALID_ARGUMENT',
    'Expected in "after" the endCursor of a search with the same order.',
  );
}
