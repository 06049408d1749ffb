// Worker pools and workers.
import type { WorkerRow } from '../../store/schema.js';
import {
  createPool,
  cyclePool,
  deletePool,
  findPool,
  findPoolName,
  listPools,
  resetPool,
  tokenOf,
  updatePool,
  type PoolFields,
  type PoolWithToken,
} from '../../pools/pools.js';
import { listWorkers, poolCounts, setDrained, workerStatus } from '../../pools/workers.js';
import { listAlarms } from '../../pools/alarms.js';
import { searchPools } from '../../pools/search.js';
import { searchSchedulableRuns, type SchedulableRun } from '../../queue/schedulable.js';
import { listStacks } from '../../stacks/stacks.js';
import { publicPoolId, type AlarmRow, type PoolRow } from '../../store/schema.js';
import type { SearchInput } from '../../store/search.js';
import { administrator, operator, reader, seconds, type ApiRequest } from '../request.js';

/** A pool whose token is part of the answer, because it was just made. */
type PoolNode = PoolRow & { readonly token?: string };

interface Id {
  readonly id: string;
}

interface Search {
  readonly input: SearchInput;
}

/** What a private pool and the public one have in common. */
const queueOf = {
  busyWorkers: async ({ id }: Id, _: unknown, { context }: ApiRequest) =>
    (await poolCounts(context, id)).busy,
  pendingRuns: async ({ id }: Id, _: unknown, { context }: ApiRequest) =>
    (await poolCounts(context, id)).pendingRuns,
  searchSchedulableRuns: ({ id }: Id, { input }: Search, { context }: ApiRequest) =>
    searchSchedulableRuns(context, id, input),
  usedBy: ({ id }: Id, _: unknown, { context }: ApiRequest) => listStacks(context, { pool: id }),
};

const withToken = ({ pool, token }: PoolWithToken): PoolNode => ({ ...pool, token });

/** An administrator's right to the token. Others get null: the field is part of what clients always ask for. */
function visibleToken(pool: PoolNode, request: ApiRequest): string | null {
  if (pool.token !== undefined) return pool.token;
  return request.identity?.role === 'administrator' && pool.deleted_at === null && pool.certificate !== ''
    ? tokenOf(request.context, pool)
    : null;
}

export const poolResolvers = {
  Query: {
    workerPools: (_: unknown, __: unknown, request: ApiRequest) => {
      reader(request);
      return listPools(request.context);
    },
    workerPool: async (_: unknown, { id }: Id, request: ApiRequest) => {
      reader(request);
      const pool = await findPool(request.context, id);
      return pool === undefined || pool.public ? null : pool;
    },
    searchWorkerPools: (_: unknown, { input }: Search, request: ApiRequest) => {
      reader(request);
      return searchPools(request.context, input, null);
    },
    alarms: (_: unknown, __: unknown, request: ApiRequest) => {
      reader(request);
      return listAlarms(request.context);
    },
    publicWorkerPool: (_: unknown, __: unknown, request: ApiRequest) => {
      reader(request);
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
    workerPoolUpdate: (_: unknown, fields: PoolFields & Id, request: ApiRequest) => {
      administrator(request);
      return updatePool(request.context, fields.id, fields);
    },
    workerPoolReset: async (
      _: unknown,
      args: Id & { certificateSigningRequest: string },
      request: ApiRequest,
    ) => {
      administrator(request);
      return withToken(await resetPool(request.context, args.id, args.certificateSigningRequest));
    },
    workerPoolCycle: async (_: unknown, { id }: Id, request: ApiRequest) => {
      operator(request);
      await cyclePool(request.context, id);
      return true;
    },
    workerPoolDelete: (_: unknown, { id }: Id, request: ApiRequest) => {
      administrator(request);
      return deletePool(request.context, id);
    },
    workerDrainSet: (
      _: unknown,
      args: { workerPool: string; id: string; drain: boolean },
      request: ApiRequest,
    ) => {
      operator(request);
      return setDrained(request.context, args.workerPool, args.id, args.drain);
    },
  },
  WorkerPool: {
    config: (pool: PoolNode, _: unknown, request: ApiRequest) => visibleToken(pool, request),
    spaceDetails: ({ space }: PoolRow) => ({ id: space, name: space }),
    createdAt: ({ created_at }: PoolRow) => seconds(created_at),
    updatedAt: ({ updated_at }: PoolRow) => seconds(updated_at),
    deleted: ({ deleted_at }: PoolRow) => deleted_at !== null,
    driftDetectionRunLimit: (pool: PoolRow) => pool.drift_detection_run_limit,
    managedByK8sController: (pool: PoolRow) => pool.managed_by_k8s_controller,
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
    clearedAt: ({ cleared_at }: AlarmRow) => (cleared_at === null ? null : seconds(cleared_at)),
  },
  SchedulableRun: {
    stackId: ({ run }: SchedulableRun) => run.stack_id,
  },
  Worker: {
    busy: ({ run_id }: WorkerRow) => run_id !== null,
    createdAt: ({ created_at }: WorkerRow) => seconds(created_at),
    availableAt: ({ run_id, available_at }: WorkerRow) => (run_id === null ? seconds(available_at) : null),
    metadata: ({ metadata }: WorkerRow) => JSON.stringify(metadata),
    status: workerStatus,
    run: ({ run_id }: WorkerRow) => run_id,
  },
};
