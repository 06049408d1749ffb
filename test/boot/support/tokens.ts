// Tokens of managed identities, as Azure's metadata service gives them out. Nobody here looks at their signature.

const tenant = '11111111-2222-3333-4444-555555555555';

/** For one kind of service. */
export function identityToken(audience: string): string {
  const part = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url');
  const now = Math.floor(Date.now() / 1000);
  return [
    part({ alg: 'RS256', typ: 'JWT' }),
    part({
      aud: audience,
      iss: `https://sts.windows.net/${tenant}/`,
      tid: tenant,
      iat: now - 60,
      nbf: now - 60,
      exp: now + 3600,
    }),
    Buffer.from('signature').toString('base64url'),
  ].join('.');
}

/** For which service a token was made out; undefined for what is no token. */
export function audienceOf(token: string): unknown {
  const payload = token.split('.')[1];
  if (payload === undefined) return undefined;
  return (JSON.parse(Buffer.from(payload, 'base64url').toString()) as { aud?: unknown }).aud;
}
