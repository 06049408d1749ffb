// Signing in, and who one is.
import { checkApiKey, type Identity } from '../../access/api-keys.js';
import { identityOf, type ApiRequest } from '../request.js';

export const sessionResolvers = {
  Query: {
    viewer: (_: unknown, __: unknown, request: ApiRequest) => identityOf(request),
  },
  Viewer: {
    role: ({ role }: Identity) => role.toUpperCase(),
  },
  Mutation: {
    apiKeyUser: async (_: unknown, { id, secret }: { id: string; secret: string }, request: ApiRequest) => {
      const identity = await checkApiKey(request.context, id, secret);
      const { token, validUntil } = await request.tokens.issueUser('api', {
        key: identity.id,
        since: identity.since,
      });
      return { jwt: token, validUntil };
    },
  },
};
