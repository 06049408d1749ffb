// Views of the whole: alarms, activity over time, the audit log.
import { Hono } from 'hono';
import { poolFor } from '../../access/things.js';
import { isSpan } from '../../runs/activity.js';
import { ActivityPage } from '../pages/activity.js';
import { AlarmsPage } from '../pages/alarms.js';
import { AuditPage } from '../pages/audit.js';
import type { ViewParts, WebEnvironment } from './view.js';

export function watchViews({ context, show }: ViewParts): Hono<WebEnvironment> {
  const app = new Hono<WebEnvironment>();
  app.get('/alarms', (c) =>
    show(c, { title: 'Alarms', live: 'alarms' }, <AlarmsPage context={context} rights={c.get('rights')} />),
  );
  app.get('/activity', async (c) => {
    const { pool = '', span = '' } = c.req.query();
    const rights = c.get('rights');
    if (pool !== '') await poolFor(context, rights, pool, 'read');
    return show(
      c,
      { title: 'Activity' },
      <ActivityPage
        context={context}
        rights={rights}
        span={isSpan(span) ? span : '24h'}
        pool={pool === '' ? undefined : pool}
        address="/activity"
      />,
    );
  });
  app.get('/audit', (c) => {
    const { text = '', type = '', who = '', after = '' } = c.req.query();
    const filter = { text, type, who, after };
    return show(
      c,
      { title: 'Audit log' },
      <AuditPage context={context} rights={c.get('rights')} filter={filter} />,
    );
  });
  return app;
}
