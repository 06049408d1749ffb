// The audit log: who changed what and when, before and after. Filter and page are part of the address.
import { resourceTypes, searchAudit } from '../../access/audit.js';
import type { Rights } from '../../access/rights.js';
import type { Context } from '../../context.js';
import type { AuditRow } from '../../store/schema.js';
import type { Predicate } from '../../store/search.js';
import { differences, type Difference } from '../difference.js';
import { Empty, Time } from '../layout.js';
import { Choice, Filter, Pager } from './parts.js';

export interface AuditFilter {
  readonly text: string;
  readonly type: string;
  readonly who: string;
  /** The end of the page before. */
  readonly after: string;
}

interface AuditPageProperties {
  readonly context: Context;
  readonly rights: Rights;
  readonly filter: AuditFilter;
}

export async function AuditPage({ context, rights, filter }: AuditPageProperties) {
  const { text, type, who, after } = filter;
  const equal = (field: string, value: string): Predicate[] =>
    value === '' ? [] : [{ field, constraint: { stringMatches: [value] } }];
  const predicates = [...equal('resourceType', type), ...equal('username', who)];
  const { edges, pageInfo } = await searchAudit(context, { fullTextSearch: text, predicates, after }, rights);
  const filtered = text !== '' || type !== '' || who !== '';
  return (
    <>
      <h1>Audit log</h1>
      <p class="facts">
        Every change that somebody made, by the API, the command line or these pages. What the control plane
        does by itself is in the histories of runs.
      </p>
      <Filter address="/audit" filtered={filtered}>
        <label>
          Text <input name="text" type="search" value={text} placeholder="id, action, value" />
        </label>
        <label>
          Who <input name="who" value={who} autocomplete="off" />
        </label>
        <Choice
          label="What"
          name="type"
          options={resourceTypes.map((name) => [name, name.replace('-', ' ')])}
          chosen={type}
          none="everything"
        />
      </Filter>
      {edges.length === 0 ? (
        <Empty>
          {filtered
            ? 'No change is like that. Show all, or look for less.'
            : 'Nobody has changed anything yet. Changes appear here as they are made.'}
        </Empty>
      ) : (
        <ol class="audit">
          {edges.map(({ node }) => (
            <Entry entry={node} />
          ))}
        </ol>
      )}
      <Pager address="/audit" values={{ text, type, who }} pageInfo={pageInfo} older="Older changes" />
    </>
  );
}

function Entry({ entry }: { readonly entry: AuditRow }) {
  const changed = differences(entry.before, entry.after);
  const address = addressOf(entry);
  return (
    <li id={entry.id}>
      <div class="who-what">
        <strong>{entry.username}</strong> <code class="action">{entry.action}</code>{' '}
        {address === undefined ? (
          <code>{entry.resource_id}</code>
        ) : (
          <a href={address}>
            <code>{entry.resource_id}</code>
          </a>
        )}
      </div>
      <p class="facts">
        <Time at={entry.at} />
        {entry.space === null ? '' : ` · space ${entry.space}`}
        {entry.address === null ? '' : ` · from ${entry.address}`}
        {' · '}
        <a href={`#${entry.id}`}>link</a>
      </p>
      {changed.length === 0 ? null : (
        <dl class="changes">
          {changed.map((one) => (
            <Change one={one} />
          ))}
        </dl>
      )}
    </li>
  );
}

function Change({ one }: { readonly one: Difference }) {
  return (
    <div>
      <dt>{one.field}</dt>
      <dd>
        {one.before === null ? null : <del>{one.before}</del>}
        {one.before === null || one.after === null ? null : <span aria-hidden="true"> → </span>}
        {one.after === null ? null : <ins>{one.after}</ins>}
      </dd>
    </div>
  );
}

/** Where the thing can be looked at, if it has a page. */
function addressOf({ resource_type, resource_id, before, after }: AuditRow): string | undefined {
  const field = (name: string) =>
    [after, before].flatMap((state) => {
      if (typeof state !== 'object' || state === null) return [];
      const value: unknown = Object.entries(state).find(([key]) => key === name)?.[1];
      return typeof value === 'string' ? [value] : [];
    })[0];
  const [stack, pool] = [field('stack'), field('pool')];
  if (resource_type === 'stack') return `/stacks/${resource_id}`;
  if (resource_type === 'worker-pool') return `/pools/${resource_id}`;
  if (resource_type === 'run' && stack !== undefined) return `/stacks/${stack}/runs/${resource_id}`;
  if (resource_type === 'worker' && pool !== undefined) return `/pools/${pool}#${resource_id}`;
  return undefined;
}
