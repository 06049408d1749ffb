// The worker API: what a launcher asks and reports on its attempt at a run. See docs/protocol.md, "Worker API".
import { Hono } from 'hono';
import { Readable } from 'node:stream';
import { PoolwrightError } from '../../protocol/errors.js';
import { limits } from '../../protocol/limits.js';
import { ulidSchema } from '../../protocol/topics.js';
import { parseAs, parseJson } from '../../protocol/wire.js';
import { outputsSchema, rejectionSchema, spoolRecordSchema } from '../../protocol/worker-api.js';
import { unauthorized } from '../access/api-keys.js';
import type { RunGrant, Tokens } from '../access/tokens.js';
import type { Context } from '../context.js';
import { noteSignOfLife } from '../pools/signs-of-life.js';
import { acceptRun, assertReporting, beginRun, rejectRun } from '../runs/attempts.js';
import { applyRecords, applyStored } from '../runs/records.js';
import { replaceOutputs } from '../stacks/outputs.js';
import type { LogLine } from '../store/log-file.js';
import type { LogStore } from '../store/logs.js';
import type { ObjectStore } from '../store/objects.js';
import { readBody, streamBody, type ServerEnvironment } from './body.js';

export interface WorkerApiDependencies {
  readonly context: Context;
  readonly tokens: Tokens;
  readonly logs: LogStore;
  readonly objects: ObjectStore;
}

interface WorkerEnvironment extends ServerEnvironment {
  Variables: { grant: RunGrant };
}

export function workerApiRoutes({
  context,
  tokens,
  logs,
  objects,
}: WorkerApiDependencies): Hono<WorkerEnvironment> {
  const app = new Hono<WorkerEnvironment>().basePath('/worker/v1/runs/:run/attempts/:attempt');

  app.use('*', async (c, next) => {
    const token = /^Bearer (.+)$/i.exec(c.req.header('authorization') ?? '')?.[1];
    if (token === undefined) throw unauthorized();
    const grant = await tokens.checkRun(token);
    if (grant.run !== c.req.param('run') || String(grant.attempt) !== c.req.param('attempt')) {
      throw new PoolwrightError('FORBIDDEN', 'The token is for another run or attempt.');
    }
    c.set('grant', grant);
    context.traces.current().set({
      'poolwright.run.id': grant.run,
      'poolwright.run.attempt': grant.attempt,
      'poolwright.worker.id': grant.worker,
    });
    await next();
  });

  app.post('/accept', async (c) => {
    const { run, attempt, worker } = c.get('grant');
    await acceptRun(context, run, attempt, worker);
    return c.body(null, 204);
  });

  app.post('/reject', async (c) => {
    const { run, attempt, worker } = c.get('grant');
    const body = await readBody(c, 16 * 1024);
    const reason = parseAs(rejectionSchema, parseJson(body, 'The rejection'), 'The rejection');
    await rejectRun(context, run, attempt, worker, reason);
    return c.body(null, 204);
  });

  app.post('/begin', async (c) => {
    const { run, attempt, worker } = c.get('grant');
    await beginRun(context, run, attempt, worker);
    return c.body(null, 204);
  });

  app.post('/alive', async (c) => {
    await noteSignOfLife(context, c.get('grant'));
    return c.body(null, 204);
  });

  app.post('/spool', async (c) => {
    const grant = c.get('grant');
    const lines = parseLines(await readBody(c, limits.spoolBatch));
    const records = lines.map(({ record }) => record);
    const row = await assertReporting(context, grant, records.at(-1)?.n ?? 0);
    // The worker will send only what comes after the answer: what is stored has to count by then.
    if (lines.length === 0) await applyStored(context, logs, grant, row);
    // The log first: a state or result counts only when every line before it is kept.
    const acknowledged = await logs.append(grant.run, grant.attempt, lines);
    await applyRecords(context, grant.run, grant.attempt, grant.worker, records);
    context.events.emit({ kind: 'log', run: grant.run });
    return c.json({ acknowledged });
  });

  app.put('/workspace', async (c) => {
    const grant = c.get('grant');
    await assertReporting(context, grant, Infinity);
    const object = context.ids.next();
    await objects.put(object, streamBody(c, limits.workspace), limits.workspace);
    return c.json({ object });
  });

  app.put('/outputs', async (c) => {
    const body = await readBody(c, limits.outputsReport);
    const { outputs } = parseAs(
      outputsSchema,
      parseJson(body, 'The report of outputs'),
      'The report of outputs',
    );
    await replaceOutputs(context, c.get('grant'), outputs);
    return c.body(null, 204);
  });

  app.get('/objects/:object', async (c) => {
    const row = await assertReporting(context, c.get('grant'), Infinity);
    const object = c.req.param('object');
    if (
      !ulidSchema.safeParse(object).success ||
      (object !== row.archive_object && object !== row.workspace_object)
    ) {
      throw new PoolwrightError(
        'FORBIDDEN',
        `The run ${row.id} does not use the object ${object.slice(0, 26)}.`,
      );
    }
    const { size, stream } = await objects.get(object);
    return c.body(Readable.toWeb(stream) as ReadableStream, 200, {
      'content-type': 'application/octet-stream',
      'content-length': String(size),
    });
  });

  return app;
}

/** Throws INVALID_MESSAGE that names the line. */
function parseLines(body: Buffer): LogLine[] {
  const lines: LogLine[] = [];
  let start = 0;
  while (start < body.length) {
    const found = body.indexOf(10, start);
    const end = found === -1 ? body.length : found;
    if (end > start) {
      const what = `Record ${String(lines.length + 1)} of the request`;
      const text = body.toString('utf8', start, end);
      lines.push({ record: parseAs(spoolRecordSchema, parseRecord(text, what), what), text });
    }
    start = end + 1;
  }
  return lines;
}

function parseRecord(text: string, what: string): unknown {
  try {
    const value: unknown = JSON.parse(text);
    return value;
  } catch {
    // The parser's message quotes the line, which is the user's log.
    throw new PoolwrightError('INVALID_MESSAGE', `${what} is not JSON. Expected one record a line.`);
  }
}
