// From what a provider says of a person to who that is here.
import type { KeyFields } from '../api-keys.js';
import type { OidcSettings } from './settings.js';

export type Claims = Readonly<Record<string, unknown>>;

export type Person = Pick<KeyFields, 'name' | 'role' | 'spaces'> & {
  /** Issuer and `sub`: the same for as long as the account is there, whatever its name. */
  readonly subject: string;
};

/** Undefined for an account that none of the rules is for. */
export function personOf(settings: OidcSettings, sub: string, claims: Claims): Person | undefined {
  const rule = settings.roles.find(({ claim, value }) => holds(claims[claim], value));
  if (rule === undefined) return undefined;
  const { role, spaces } = rule;
  return { subject: `${settings.issuer} ${sub}`, name: nameOf(settings, sub, claims), role, spaces };
}

function holds(claim: unknown, value: string | number | boolean): boolean {
  return Array.isArray(claim) ? claim.includes(value) : claim === value;
}

function nameOf({ nameClaims }: OidcSettings, sub: string, claims: Claims): string {
  const usable = (name: string) =>
    // Anybody may enter any address; only the provider knows whose it is.
    typeof claims[name] === 'string' && (name !== 'email' || claims['email_verified'] !== false);
  const found = nameClaims.find(usable);
  const name = found === undefined ? sub : String(claims[found]);
  return name.trim().slice(0, 255) || sub.slice(0, 255);
}
