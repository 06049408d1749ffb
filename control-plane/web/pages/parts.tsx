// What pages have in common: buttons that are off and say why, and of lists the form that filters them and the way to the
// next page. Both are plain addresses.
import type { Child } from 'hono/jsx';
import type { Rights } from '../../access/rights.js';
import type { Page } from '../../store/search.js';

interface OffProperties {
  /** Unique on the page. */
  readonly id: string;
  readonly children: Child;
  /** A sentence without a full stop. */
  readonly why: string;
  /** What a screen reader calls it, where the text alone does not say of what it is. */
  readonly label?: string;
}

/** A button that is off stays in its place and says why, to a pointer, the keyboard and a screen reader. */
export function Off({ id, children, why, label }: OffProperties) {
  return (
    <span class="off">
      <button
        type="button"
        class="quiet"
        aria-disabled="true"
        aria-describedby={`why-not-${id}`}
        aria-label={label}
      >
        {children}
      </button>
      <span role="tooltip" class="tip" id={`why-not-${id}`}>
        Not now: {why}.
      </span>
    </span>
  );
}

/** Why somebody may change nothing, as a reason for `Off`; null when they may. */
export function readOnly({ identity }: Rights): string | null {
  return identity.role === 'reader' ? `${identity.name} may read only` : null;
}

interface ChoiceProperties {
  readonly label: string;
  /** Of the field, and so of the address. */
  readonly name: string;
  /** Values with their texts. */
  readonly options: readonly (readonly [value: string, text: string])[];
  /** Empty: none of them. */
  readonly chosen: string;
  /** What it is when none of them is chosen. Default: `all`. */
  readonly none?: string;
}

/** A field of a filter in which one of several is chosen, or none. */
export function Choice({ label, name, options, chosen, none = 'all' }: ChoiceProperties) {
  return (
    <label>
      {label}{' '}
      <select name={name}>
        <option value="">{none}</option>
        {options.map(([value, text]) => (
          <option value={value} selected={value === chosen}>
            {text}
          </option>
        ))}
      </select>
    </label>
  );
}

/** A word of the API as an option. */
export function inSmall(word: string): readonly [string, string] {
  return [word, word.toLowerCase()];
}

interface FilterProperties {
  /** Of the list without a filter. */
  readonly address: string;
  readonly filtered: boolean;
  readonly children: Child;
}

export function Filter({ address, filtered, children }: FilterProperties) {
  return (
    <form method="get" action={address} class="filter" role="search">
      {children}
      <button class="quiet">filter</button>
      {filtered ? <a href={address}>show all</a> : null}
    </form>
  );
}

interface PagerProperties {
  readonly address: string;
  /** Of the filter. */
  readonly values: Readonly<Record<string, string>>;
  readonly pageInfo: Page<unknown>['pageInfo'];
  /** What the next page has, such as `Older runs`. */
  readonly older?: string;
  /** Name of the cursor in the address. */
  readonly cursor?: string;
}

export function Pager({ address, values, pageInfo, older = 'Next page', cursor = 'after' }: PagerProperties) {
  if (!pageInfo.hasNextPage && !pageInfo.hasPreviousPage) return null;
  const query = (extra: Readonly<Record<string, string>>) => {
    const text = new URLSearchParams(
      Object.entries({ ...values, ...extra }).filter(([, value]) => value !== ''),
    ).toString();
    return text === '' ? address : `${address}?${text}`;
  };
  return (
    <nav class="pager" aria-label="Pages">
      {pageInfo.hasPreviousPage ? <a href={query({})}>First page</a> : null}
      {pageInfo.hasNextPage ? (
        <a href={query({ [cursor]: pageInfo.endCursor ?? '' })} rel="next">
          {older}
        </a>
      ) : null}
    </nav>
  );
}
