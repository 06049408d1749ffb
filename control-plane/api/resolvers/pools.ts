// Worker pools, workers, the public pool, alarms.
import type { SignedRelease } from '../../../protocol/launcher-release.js';
import { readRelease } from '../../../protocol/release-signing.js';
import { findSpace } from '../../access/spaces.js';
import { releaseUpload } from '../../http/launcher-releases.js';
import { listAlarms } from '../../pools/alarms.js';
import {
  createPool,
  cyclePool,
  deletePool,
  findPoolName,
  listPools,
  resetPool,
  tokenOf,
  updatePool,
  type PoolFields,
  type PoolWithToken,
} from '../../pools/pools.js';
import { createRelease, currentRelease, withdrawRelease } from '../../pools/releases.js';
import { searchPools } from '../../pools/search.js';
import { listWorkers, poolCounts, setAllDrained, setDrained, workerStatus } from '../../pools/workers.js';
import { searchSchedulableRuns, type SchedulableRun } from '../../queue/schedulable.js';
import { listStacks } from '../../stacks/stacks.js';
import { publicPoolId } from '../../store/pool-tables.js';
import type { AlarmRow, PoolRow, ReleaseRow, WorkerRow } from '../../store/schema.js';
import type { SearchInput } from '../../store/search.js';
import {
  administrator,
  identityOf,
  poolFor,
  rightsOf,
  seconds,
  secondsOrNull,
  visiblePool,
  type ApiRequest,
} from '../request.js';

/** A pool whose token is part of the answer, because it was just made. */
type PoolNode = PoolRow & { readonly token?: string };

interface Id {
  readonly id: string;
}

interface Search {
  readonly input: SearchInput;
}

const withToken = ({ pool, token }: PoolWithToken): PoolNode => ({ ...pool, token });

/** An administrator's right to the token. Others get null: the field is part of what clients always ask for. */
function visibleToken(pool: PoolNode, request: ApiRequest): string | null {
  if (pool.token !== undefined) return pool.token;
  const may = rightsOf(request).identity.role === 'administrator';
  return may && pool.deleted_at === null && pool.certificate !== '' ? tokenOf(request.context, pool) : null;
}

/** What a private pool and the public one have in common. Of stacks and runs, those that one sees. */
const queueOf = {
  busyWorkers: async ({ id }: Id, _: unknown, request: ApiRequest) =>
    (await poolCounts(request.context, id, rightsOf(request).spaces)).busy,
  pendingRuns: async ({ id }: Id, _: unknown, request: ApiRequest) =>
    (await poolCounts(request.context, id, rightsOf(request).spaces)).pendingRuns,
  searchSchedulableRuns: ({ id }: Id, { input }: Search, request: ApiRequest) =>
    searchSchedulableRuns(request.context, id, input, rightsOf(request).spaces),
  usedBy: async ({ id }: Id, _: unknown, request: ApiRequest) => {
    const rights = rightsOf(request);
    return (await listStacks(request.context, { pool: id })).filter(({ space }) => rights.sees(space));
  },
};

export const poolResolvers = {
  Query: {
    workerPools: async (_: unknown, __: unknown, request: ApiRequest) => {
      const rights = rightsOf(request);
      return (await listPools(request.context)).filter(({ space }) => rights.sees(space));
    },
    workerPool: async (_: unknown, { id }: Id, request: ApiRequest) =>
      (await visiblePool(request, id)) ?? null,
    searchWorkerPools: (_: unknown, { input }: Search, request: ApiRequest) =>
      searchPools(request.context, input, rightsOf(request).spaces),
    alarms: async (_: unknown, __: unknown, request: ApiRequest) => {
      const rights = rightsOf(request);
      return (await listAlarms(request.context)).filter(({ space }) => rights.sees(space));
    },
    publicWorkerPool: (_: unknown, __: unknown, request: ApiRequest) => {
      rightsOf(request);
      return { id: publicPoolId };
    },
  },
  Mutation: {
    workerPoolCreate: async (
      _: unknown,
      fields: PoolFields & { certificateSigningRequest: string },
      request: ApiRequest,
    ) => {
      administrator(request);
      return withToken(await createPool(request.context, fields));
    },
    workerPoolUpdate: async (_: unknown, fields: PoolFields & Id, request: ApiRequest) => {
      await poolFor(request, fields.id, 'administer');
      return updatePool(request.context, fields.id, fields);
    },
    workerPoolReset: async (
      _: unknown,
      args: Id & { certificateSigningRequest: string },
      request: ApiRequest,
    ) => {
      await poolFor(request, args.id, 'administer');
      return withToken(await resetPool(request.context, args.id, args.certificateSigningRequest));
    },
    workerPoolCycle: async (_: unknown, { id }: Id, request: ApiRequest) => {
      await poolFor(request, id, 'operate');
      await cyclePool(request.context, id);
      return true;
    },
    workerPoolDelete: async (_: unknown, { id }: Id, request: ApiRequest) => {
      await poolFor(request, id, 'administer');
      return deletePool(request.context, id);
    },
    workerDrainSet: async (
      _: unknown,
      args: { workerPool: string; id: string; drain: boolean },
      request: ApiRequest,
    ) => {
      await poolFor(request, args.workerPool, 'operate');
      return setDrained(request.context, args.workerPool, args.id, args.drain);
    },
    workerPoolReleasePublish: async (
      _: unknown,
      args: SignedRelease & Id & { within?: number | null },
      request: ApiRequest,
    ) => {
      const { id: pool } = await poolFor(request, args.id, 'administer');
      const { payload, signature, within } = args;
      const { id } = await createRelease(request.context, {
        pool,
        signed: { payload, signature },
        within: (within ?? 60) * 1000,
        publishedBy: identityOf(request).name,
      });
      const { path, headers } = await releaseUpload(request.tokens, id);
      const entries = Object.entries(headers).map(([key, value]) => ({ key, value }));
      return { id, uploadUrl: `${request.publicUrl()}${path}`, uploadHeaders: { entries } };
    },
    workerPoolReleaseWithdraw: async (_: unknown, args: Id, request: ApiRequest) => {
      const pool = await poolFor(request, args.id, 'administer');
      await withdrawRelease(request.context, pool.id);
      return pool;
    },
    workerPoolDrainSet: async (_: unknown, args: Id & { drain: boolean }, request: ApiRequest) => {
      await poolFor(request, args.id, 'operate');
      return setAllDrained(request.context, args.id, args.drain);
    },
  },
  WorkerPool: {
    config: (pool: PoolNode, _: unknown, request: ApiRequest) => visibleToken(pool, request),
    spaceDetails: ({ space }: PoolRow, _: unknown, { context }: ApiRequest) => findSpace(context, space),
    createdAt: ({ created_at }: PoolRow) => seconds(created_at),
    updatedAt: ({ updated_at }: PoolRow) => seconds(updated_at),
    deleted: ({ deleted_at }: PoolRow) => deleted_at !== null,
    driftDetectionRunLimit: ({ drift_detection_run_limit }: PoolRow) => drift_detection_run_limit,
    managedByK8sController: ({ managed_by_k8s_controller }: PoolRow) => managed_by_k8s_controller,
    launcherRelease: async ({ id }: PoolRow, _: unknown, { context }: ApiRequest) =>
      (await currentRelease(context, id)) ?? null,
    workersCount: async ({ id }: PoolRow, _: unknown, { context }: ApiRequest) =>
      (await poolCounts(context, id)).workers,
    // Nobody's to see: who runs there shares the machines with others.
    workers: ({ id, public: isPublic }: PoolRow, _: unknown, { context }: ApiRequest) =>
      isPublic ? [] : listWorkers(context, id),
    ...queueOf,
  },
  PublicWorkerPool: {
    parallelism: async ({ id }: Id, _: unknown, { context }: ApiRequest) =>
      (await poolCounts(context, id)).workers,
    ...queueOf,
  },
  Alarm: {
    workerPool: ({ pool_id }: AlarmRow, _: unknown, { context }: ApiRequest) =>
      findPoolName(context, pool_id),
    raisedAt: ({ raised_at }: AlarmRow) => seconds(raised_at),
    clearedAt: ({ cleared_at }: AlarmRow) => secondsOrNull(cleared_at),
  },
  SchedulableRun: {
    stackId: ({ run }: SchedulableRun) => run.stack_id,
  },
  LauncherRelease: {
    version: (row: ReleaseRow) => readRelease(row).version,
    sha256: (row: ReleaseRow) => readRelease(row).sha256,
    size: (row: ReleaseRow) => readRelease(row).size,
    bases: (row: ReleaseRow) => readRelease(row).bases,
    releasedAt: (row: ReleaseRow) => seconds(readRelease(row).released),
    publishedAt: ({ created_at }: ReleaseRow) => seconds(created_at),
    publishedBy: ({ published_by }: ReleaseRow) => published_by,
    within: ({ within_ms }: ReleaseRow) => seconds(within_ms),
  },
  Worker: {
    launcherUpdate: ({ updates }: WorkerRow) =>
      updates === null
        ? null
        : {
            base: updates.base,
            failedVersion: updates.failed?.version ?? null,
            failure: updates.failed?.reason ?? null,
          },
    busy: ({ run_id }: WorkerRow) => run_id !== null,
    createdAt: ({ created_at }: WorkerRow) => seconds(created_at),
    availableAt: ({ run_id, available_at }: WorkerRow) => (run_id === null ? seconds(available_at) : null),
    metadata: ({ metadata }: WorkerRow) => JSON.stringify(metadata),
    status: workerStatus,
    run: ({ run_id }: WorkerRow) => run_id,
  },
};
