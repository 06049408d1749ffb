// Values as they travel between the engine and its plugins (Pulumi's protocol, "Special values").

const mark = '4dabf18193072939515e22adb298388d';
const secret = '1b47061264138c4ac30d75fd1eb44270';
const output = 'd0e6a833031e9bbcd3f4e8bde6ca49a4';
export const unknown = '04da6b54-80e4-46f7-96ec-b56ff0331ba9';

export type Properties = Readonly<Record<string, unknown>>;

export const asSecret = (value: unknown): Properties => ({ [mark]: secret, value });

/** Without what surrounds a value: secrets become their value, outputs too. */
export function plain(value: unknown): unknown {
  return visit(value, (item) => item);
}

/** As a person reads it: secrets are not shown. */
export function readable(value: unknown): unknown {
  return visit(value, (_, kind) => (kind === 'secret' ? '[secret]' : undefined));
}

export function isSecret(value: unknown): boolean {
  return isRecord(value) && value[mark] === secret;
}

/** Walks through a value; `wrapped` may answer in the place of what a secret or an output holds. */
function visit(value: unknown, wrapped: (inner: unknown, kind: 'secret' | 'output') => unknown): unknown {
  if (value === unknown) return '[unknown]';
  if (Array.isArray(value)) return value.map((item) => visit(item, wrapped));
  if (!isRecord(value)) return value;
  if (value[mark] === secret) return wrapped(visit(value['value'], wrapped), 'secret');
  if (value[mark] === output) {
    const inner = 'value' in value ? visit(value['value'], wrapped) : '[unknown]';
    return wrapped(inner, value['secret'] === true ? 'secret' : 'output') ?? inner;
  }
  return Object.fromEntries(Object.entries(value).map(([name, item]) => [name, visit(item, wrapped)]));
}

export function isRecord(value: unknown): value is Record<string, unknown> {
  return value !== null && typeof value === 'object' && !Array.isArray(value);
}

/** Whether two values are the same, whatever the order of their properties. */
export function same(a: unknown, b: unknown): boolean {
  if (Array.isArray(a) && Array.isArray(b)) {
    return a.length === b.length && a.every((item, index) => same(item, b[index]));
  }
  if (isRecord(a) && isRecord(b)) {
    const names = new Set([...Object.keys(a), ...Object.keys(b)]);
    return [...names].every((name) => same(a[name], b[name]));
  }
  return Object.is(a, b);
}
