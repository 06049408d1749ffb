// What lists have in common: the form that filters them and the way to the next page. Both are plain addresses.
import type { Child } from 'hono/jsx';
import type { Page } from '../../store/search.js';

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
