// Spaces, API keys and the audit log.
import { createApiKey, endSessions, listApiKeys, revokeApiKey, type Role } from '../../access/api-keys.js';
import { searchAudit } from '../../access/audit.js';
import { createSpace, deleteSpace, findSpace, listSpaces, updateSpace } from '../../access/spaces.js';
import type { ApiKeyRow, AuditRow, SpaceRow } from '../../store/schema.js';
import type { SearchInput } from '../../store/search.js';
import { administrator, rightsOf, seconds, secondsOrNull, type ApiRequest } from '../request.js';

interface Id {
  readonly id: string;
}

interface SpaceInput {
  readonly id?: string | null;
  readonly name: string;
  readonly description?: string | null;
  readonly parentSpace?: string | null;
}

interface KeyInput {
  readonly name: string;
  readonly role: Uppercase<Role>;
  readonly spaces?: readonly string[] | null;
  readonly expiresAt?: number | null;
}

/** A key whose secret is part of the answer, because it was just made. */
type KeyNode = ApiKeyRow & { readonly secret?: string };

export const accessResolvers = {
  Query: {
    spaces: (_: unknown, __: unknown, request: ApiRequest) =>
      listSpaces(request.context, rightsOf(request).spaces),
    space: async (_: unknown, { id }: Id, request: ApiRequest) => {
      const rights = rightsOf(request);
      return rights.sees(id) ? ((await findSpace(request.context, id)) ?? null) : null;
    },
    apiKeys: (_: unknown, __: unknown, request: ApiRequest) => {
      administrator(request);
      return listApiKeys(request.context);
    },
    searchAuditEntries: (_: unknown, { input }: { input: SearchInput }, request: ApiRequest) =>
      searchAudit(request.context, input, rightsOf(request)),
  },
  Mutation: {
    spaceCreate: (_: unknown, { input }: { input: SpaceInput }, request: ApiRequest) => {
      administrator(request);
      return createSpace(request.context, {
        ...(input.id == null ? {} : { id: input.id }),
        name: input.name,
        description: input.description ?? '',
        parent: input.parentSpace ?? 'root',
      });
    },
    spaceUpdate: (_: unknown, { id, input }: Id & { input: SpaceInput }, request: ApiRequest) => {
      administrator(request);
      return updateSpace(request.context, id, { name: input.name, description: input.description ?? '' });
    },
    spaceDelete: (_: unknown, { id }: Id, request: ApiRequest) => {
      administrator(request);
      return deleteSpace(request.context, id);
    },
    apiKeyCreate: async (
      _: unknown,
      { input }: { input: KeyInput },
      request: ApiRequest,
    ): Promise<KeyNode> => {
      administrator(request);
      const { row, secret } = await createApiKey(request.context, {
        name: input.name,
        role: input.role.toLowerCase() as Role,
        spaces: input.spaces ?? ['root'],
        expiresAt: input.expiresAt == null ? null : input.expiresAt * 1000,
      });
      return { ...row, secret };
    },
    apiKeyRevoke: (_: unknown, { id }: Id, request: ApiRequest) => {
      administrator(request);
      return revokeApiKey(request.context, id);
    },
    apiKeySessionsEnd: (_: unknown, { id }: Id, request: ApiRequest) => {
      // One's own, after a token was seen by somebody, is everybody's to end.
      if (rightsOf(request).identity.id !== id) administrator(request);
      return endSessions(request.context, id);
    },
  },
  Space: {
    parentSpace: ({ parent }: SpaceRow, _: unknown, request: ApiRequest) =>
      // Of what is above one's own, nothing is seen.
      parent !== null && rightsOf(request).sees(parent) ? parent : null,
    createdAt: ({ created_at }: SpaceRow) => seconds(created_at),
    updatedAt: ({ updated_at }: SpaceRow) => seconds(updated_at),
  },
  ApiKey: {
    role: ({ role }: KeyNode) => role.toUpperCase(),
    secret: ({ secret }: KeyNode) => secret ?? null,
    createdBy: ({ created_by }: KeyNode) => created_by,
    createdAt: ({ created_at }: KeyNode) => seconds(created_at),
    expiresAt: ({ expires_at }: KeyNode) => secondsOrNull(expires_at),
    revokedAt: ({ revoked_at }: KeyNode) => secondsOrNull(revoked_at),
  },
  AuditEntry: {
    createdAt: ({ at }: AuditRow) => seconds(at),
    apiKey: ({ key_id }: AuditRow) => key_id,
    resourceType: ({ resource_type }: AuditRow) => resource_type,
    resourceId: ({ resource_id }: AuditRow) => resource_id,
    before: ({ before }: AuditRow) => (before === null ? null : JSON.stringify(before)),
    after: ({ after }: AuditRow) => (after === null ? null : JSON.stringify(after)),
  },
};
