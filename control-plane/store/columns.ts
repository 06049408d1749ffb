// What kinds of columns look like to the query builder.
import type { ColumnType } from 'kysely';

/** jsonb: read as a value, written as JSON text. */
export type Json<T> = ColumnType<T, string, string>;
/** Has a default, so an insert need not name it. */
export type Defaulted<T> = ColumnType<T, T | undefined, T>;
