// Views of stacks.
import { Hono } from 'hono';
import type { Child } from 'hono/jsx';
import { stackFor } from '../../access/things.js';
import { triggerRun } from '../../runs/runs.js';
import { StackFrame, type StackTab } from '../pages/stack.js';
import { StackRuns } from '../pages/stack-runs.js';
import { StackSchedules } from '../pages/stack-schedules.js';
import { StackEnvironment, StackWebhooks } from '../pages/stack-settings.js';
import { StacksPage } from '../pages/stacks.js';
import type { StackRow } from '../../store/schema.js';
import type { ViewParts, WebContext, WebEnvironment } from './view.js';

export function stackViews({ context, show }: ViewParts): Hono<WebEnvironment> {
  const app = new Hono<WebEnvironment>();
  const stackOf = (c: WebContext) => stackFor(context, c.get('rights'), c.req.param('stack') ?? '', 'read');
  const showStack = (c: WebContext, stack: StackRow, tab: StackTab, content: Child) =>
    show(
      c,
      { title: stack.name, live: `stack/${stack.id}`, trail: [['Stacks', '/stacks']] },
      <StackFrame context={context} stack={stack} tab={tab} rights={c.get('rights')}>
        {content}
      </StackFrame>,
    );

  app.get('/stacks', (c) => {
    const { text = '', pool = '', after = '' } = c.req.query();
    return show(
      c,
      { title: 'Stacks', live: 'stacks' },
      <StacksPage context={context} rights={c.get('rights')} filter={{ text, pool, after }} />,
    );
  });
  app.get('/stacks/:stack', async (c) => {
    const stack = await stackOf(c);
    const { state = '', type = '', before = '' } = c.req.query();
    const filter = { state, type, before };
    return showStack(c, stack, 'runs', <StackRuns context={context} stack={stack} filter={filter} />);
  });
  app.get('/stacks/:stack/environment', async (c) => {
    const stack = await stackOf(c);
    return showStack(c, stack, 'environment', <StackEnvironment context={context} stack={stack} />);
  });
  app.get('/stacks/:stack/webhooks', async (c) => {
    const stack = await stackOf(c);
    return showStack(c, stack, 'webhooks', <StackWebhooks context={context} stack={stack} />);
  });
  app.get('/stacks/:stack/schedules', async (c) => {
    const stack = await stackOf(c);
    return showStack(c, stack, 'schedules', <StackSchedules context={context} stack={stack} />);
  });
  app.post('/stacks/:stack/trigger', async (c) => {
    const requestedBy = c.get('identity').name;
    const { id } = await stackFor(context, c.get('rights'), c.req.param('stack'), 'operate');
    const run = await triggerRun(c.get('own'), { stack: id, type: 'TRACKED', requestedBy });
    return c.redirect(`/stacks/${run.stack_id}/runs/${run.id}`, 303);
  });
  return app;
}
