// Signing in, and who one is.
import { checkApiKey } from '../../access/api-keys.js';
import { reader, type ApiRequest } from '../request.js';

export const sessionResolvers = {
  Query: {
    viewer: (_: unknown, __: unknown, request: ApiRequest) => reader(request),
  },
  Mutation: {
    apiKeyUser: async (_: unknown, { id, secret }: { id: string; secret: string }, request: ApiRequest) => {
      const identity = await checkApiKey(request.context, id, secret);
      const { token, validUntil } = await request.tokens.issueUser('api', identity.id);
      return { jwt: token, validUntil };
    },
  },
};
