// Who may use this control plane: API keys, and people who sign in by OpenID Connect. For administrators.
import { isLastAdministrator, listApiKeys, type Role } from '../../access/api-keys.js';
import type { Context } from '../../context.js';
import { listSpaces } from '../../access/spaces.js';
import type { ApiKeyRow } from '../../store/schema.js';
import { Empty, Time } from '../layout.js';
import { Off } from './parts.js';
import { Cell, Row, Table } from './table.js';

const roles = {
  reader: 'sees',
  operator: 'sees and operates',
  administrator: 'everything, in all spaces',
} as const satisfies Record<Role, string>;

interface AccessPageProperties {
  readonly context: Context;
  /** Id of the key that looks. */
  readonly self: string;
  /** Just made: its secret is shown this once. */
  readonly made?: { readonly name: string; readonly id: string; readonly secret: string };
}

export async function AccessPage({ context, self, made }: AccessPageProperties) {
  const [rows, spaces] = await Promise.all([listApiKeys(context), listSpaces(context)]);
  const keys = rows.filter(({ subject }) => subject === null);
  const people = rows.filter(({ subject }) => subject !== null);
  const now = context.clock.now();
  const one = (row: ApiKeyRow) => (
    <Holder row={row} self={self} now={now} off={whyNoRevoke(row, rows, now)} />
  );
  return (
    <>
      <h1>Access</h1>
      {made === undefined ? null : (
        <div class="made" role="status">
          <p>
            <strong>The API key {made.name} is made.</strong> Its secret is shown this once; it is stored as a
            hash.
          </p>
          <dl class="metadata">
            <div>
              <dt>id</dt>
              <dd>
                <code>{made.id}</code>
              </dd>
            </div>
            <div>
              <dt>secret</dt>
              <dd>
                <code>{made.secret}</code>
              </dd>
            </div>
          </dl>
        </div>
      )}
      <section aria-labelledby="keys-title">
        <h2 id="keys-title">API keys</h2>
        <div class="scroll">
          <Table columns={['Key', 'Role', 'Spaces', 'Made', 'Counts until', 'Change']}>{keys.map(one)}</Table>
        </div>
        <details class="make">
          <summary class="button">Make a key …</summary>
          <form method="post" action="/access" class="fields">
            {/* A form that is sent again, as by reloading its answer, makes no second key. */}
            <input type="hidden" name="id" value={context.ids.next()} />
            <label>
              Name <input name="name" required maxlength={255} autocomplete="off" />
            </label>
            <label>
              Role
              <select name="role">
                {Object.entries(roles).map(([role, means]) => (
                  <option value={role}>
                    {role}: {means}
                  </option>
                ))}
              </select>
            </label>
            <label>
              Space, with all below it
              <select name="space">
                {spaces.map(({ id, name }) => (
                  <option value={id} selected={id === 'root'}>
                    {name}
                  </option>
                ))}
              </select>
            </label>
            <label>
              Days that it counts (empty: until it is revoked)
              <input name="days" type="number" min={1} max={3650} inputmode="numeric" />
            </label>
            <button>make the key</button>
          </form>
        </details>
      </section>
      <section aria-labelledby="people-title">
        <h2 id="people-title">People</h2>
        <p class="facts">
          Who has signed in by OpenID Connect. Role and spaces are what the provider says, taken over at each
          sign-in.
        </p>
        {people.length === 0 ? (
          <Empty>
            Nobody has signed in by OpenID Connect. <code>poolwright serve --oidc FILE</code> lets people do
            so; docs/sign-in.md has the file.
          </Empty>
        ) : (
          <div class="scroll">
            <Table columns={['Person', 'Role', 'Spaces', 'First seen', 'Counts until', 'Change']}>
              {people.map(one)}
            </Table>
          </div>
        )}
      </section>
    </>
  );
}

function whyNoRevoke(row: ApiKeyRow, all: readonly ApiKeyRow[], now: number): string | null {
  if (row.revoked_at !== null) return 'it is revoked already';
  return isLastAdministrator(row, all, now) ? 'it is the last key of an administrator' : null;
}

interface HolderProperties {
  readonly row: ApiKeyRow;
  readonly self: string;
  readonly now: number;
  /** Why it cannot be revoked. */
  readonly off: string | null;
}

function Holder({ row, self, now, off }: HolderProperties) {
  const over = row.expires_at !== null && row.expires_at <= now;
  const first = row.subject === null ? 'Key' : 'Person';
  return (
    <Row id={row.id}>
      <Cell name={first}>
        <span class="strong">{row.name}</span>
        {row.id === self ? <span class="note">you</span> : null}
        {row.revoked_at === null ? null : <span class="note bad">revoked</span>}
        {over && row.revoked_at === null ? <span class="note bad">over</span> : null}
        <code class="below">{row.id}</code>
      </Cell>
      <Cell name="Role">{row.role}</Cell>
      <Cell name="Spaces">{row.role === 'administrator' ? 'all' : row.spaces.join(', ')}</Cell>
      <Cell name={row.subject === null ? 'Made' : 'First seen'}>
        <Time at={row.created_at} />
        {row.created_by === null ? null : <span class="facts">by {row.created_by}</span>}
      </Cell>
      <Cell name="Counts until">
        {row.revoked_at !== null ? (
          <>
            revoked <Time at={row.revoked_at} />
          </>
        ) : row.expires_at === null ? (
          <span class="facts">it is revoked</span>
        ) : (
          <Time at={row.expires_at} />
        )}
      </Cell>
      <Cell name="Change">
        <div class="actions">
          {row.revoked_at === null ? (
            <form method="post" action={`/access/${row.id}/end-sessions`}>
              <button class="quiet" aria-label={`end sessions of ${row.name}`}>
                end sessions
              </button>
            </form>
          ) : null}
          {off === null ? (
            <details class="drop right">
              <summary class="button danger" aria-label={`revoke ${row.name} …`}>
                revoke …
              </summary>
              <form method="post" action={`/access/${row.id}/revoke`} class="fields">
                <p class="facts">Its sessions and tokens end at once. This cannot be undone.</p>
                <button class="danger">revoke {row.name}</button>
              </form>
            </details>
          ) : (
            <Off id={`revoke-${row.id}`} why={off} label={`revoke ${row.name}`}>
              revoke
            </Off>
          )}
        </div>
      </Cell>
    </Row>
  );
}
