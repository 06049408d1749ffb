// A table that is one on a phone, too: there each row is a block, and each cell has the name of its column beside it. The
// roles are said in so many words, because a table that is laid out as blocks loses them.
import type { Child } from 'hono/jsx';

interface TableProperties {
  readonly columns: readonly string[];
  readonly children: Child;
}

export function Table({ columns, children }: TableProperties) {
  return (
    <table role="table" class="folding">
      <thead role="rowgroup">
        <tr role="row">
          {columns.map((name) => (
            <th scope="col" role="columnheader">
              {name}
            </th>
          ))}
        </tr>
      </thead>
      <tbody role="rowgroup">{children}</tbody>
    </table>
  );
}

/** `id`: makes the row an address of its own. */
export function Row({ id, children }: { readonly id?: string; readonly children: Child }) {
  return (
    <tr role="row" id={id}>
      {children}
    </tr>
  );
}

/** `name`: of the column. */
export function Cell({ name, children }: { readonly name: string; readonly children: Child }) {
  return (
    <td role="cell" data-column={name}>
      <div>{children}</div>
    </td>
  );
}
