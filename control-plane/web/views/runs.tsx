// Views of runs: the page, its log, and what people decide there.
import { Hono } from 'hono';
import { stream } from 'hono/streaming';
import { PoolwrightError } from '../../../protocol/errors.js';
import { stackFor } from '../../access/things.js';
import { readBody } from '../../http/body.js';
import { decideOn, isRunAction } from '../../runs/actions.js';
import { getRun } from '../../runs/runs.js';
import type { RunRow, StackRow } from '../../store/schema.js';
import { liveLog } from '../live.js';
import { RunPage } from '../pages/run.js';
import type { ViewParts, WebContext, WebEnvironment } from './view.js';

/** Bytes of the form that carries a note. */
const largestForm = 16 * 1024;
/** Characters of log text that go out at a time. */
const downloadBlock = 256 * 1024;

export function runViews({ context, logs, show, stillSees }: ViewParts): Hono<WebEnvironment> {
  const app = new Hono<WebEnvironment>();

  async function runOf(c: WebContext): Promise<{ run: RunRow; stack: StackRow }> {
    const stack = await stackFor(context, c.get('rights'), c.req.param('stack') ?? '', 'read');
    const run = await getRun(context, c.req.param('run') ?? '');
    if (run.stack_id === stack.id) return { run, stack };
    throw new PoolwrightError('NOT_FOUND', `The stack ${stack.id} has no run ${run.id}.`);
  }

  app.get('/stacks/:stack/runs/:run', async (c) => {
    const { run, stack } = await runOf(c);
    const trail = [['Stacks', '/stacks'] as const, [stack.name, `/stacks/${stack.id}`] as const];
    return show(
      c,
      { title: `${run.title}, ${stack.name}`, live: `run/${run.id}`, trail },
      <RunPage context={context} run={run} stack={stack} rights={c.get('rights')} />,
    );
  });

  app.post('/stacks/:stack/runs/:run/:action', async (c) => {
    const { stack, run, action } = c.req.param();
    if (!isRunAction(action)) throw new PoolwrightError('NOT_FOUND', `A run knows no ${action}.`);
    await stackFor(context, c.get('rights'), stack, 'operate');
    const form = new URLSearchParams((await readBody(c, largestForm)).toString());
    const note = form.get('note')?.trim() ?? '';
    const request = { stack, run, username: c.get('identity').name, note: note === '' ? null : note };
    const after = await decideOn(c.get('own'), action, request);
    return c.redirect(`/stacks/${stack}/runs/${after.id}`, 303);
  });

  app.get('/stacks/:stack/runs/:run/log', async (c) => {
    const { run } = await runOf(c);
    return liveLog(c, context, logs, run.id, () => stillSees(c, `run/${run.id}`));
  });

  // The whole log as it was written, colours included, so that `less -R` and `grep` do with it what one expects.
  app.get('/stacks/:stack/runs/:run/log.txt', async (c) => {
    const { run } = await runOf(c);
    c.header('content-type', 'text/plain; charset=utf-8');
    if (c.req.query('download') !== undefined)
      c.header('content-disposition', `attachment; filename="${run.id}.log"`);
    return stream(c, async (out) => {
      let text = '';
      for await (const { record } of logs.read(run.id)) {
        if (record.k === 'log') text += record.m;
        if (text.length < downloadBlock) continue;
        await out.write(text);
        text = '';
        // Whoever goes away half-way needs no more of it read.
        if (out.aborted) return;
      }
      await out.write(text);
    });
  });
  return app;
}
