// Views of stacks.
import { Hono } from 'hono';
import { stackFor } from '../../access/things.js';
import { triggerRun } from '../../runs/runs.js';
import { StackPage, StacksPage } from '../pages/stacks.js';
import { mayChange } from '../session.js';
import type { ViewParts, WebEnvironment } from './view.js';

export function stackViews({ context, show }: ViewParts): Hono<WebEnvironment> {
  const app = new Hono<WebEnvironment>();
  app.get('/stacks', (c) =>
    show(c, { title: 'Stacks', live: 'stacks' }, <StacksPage context={context} rights={c.get('rights')} />),
  );
  app.get('/stacks/:stack', async (c) => {
    const stack = await stackFor(context, c.get('rights'), c.req.param('stack'), 'read');
    return show(
      c,
      { title: stack.name, live: `stack/${stack.id}`, trail: [['Stacks', '/stacks']] },
      <StackPage context={context} stack={stack} mayChange={mayChange(c.get('identity'))} />,
    );
  });
  app.post('/stacks/:stack/trigger', async (c) => {
    const requestedBy = c.get('identity').name;
    const { id } = await stackFor(context, c.get('rights'), c.req.param('stack'), 'operate');
    const run = await triggerRun(c.get('own'), { stack: id, type: 'TRACKED', requestedBy });
    return c.redirect(`/stacks/${run.stack_id}/runs/${run.id}`, 303);
  });
  return app;
}
