// Views of pools, and the orders that operators give there.
import { Hono } from 'hono';
import type { Child } from 'hono/jsx';
import type { Right } from '../../access/rights.js';
import { poolFor } from '../../access/things.js';
import { cyclePool, getPool } from '../../pools/pools.js';
import { setAllDrained, setDrained } from '../../pools/workers.js';
import { isSpan } from '../../runs/activity.js';
import { publicPoolId } from '../../store/pool-tables.js';
import type { PoolRow } from '../../store/schema.js';
import { ActivityCharts } from '../pages/activity.js';
import { PoolFrame, tabAddress, UsedBy, type PoolTab } from '../pages/pool.js';
import { PoolQueue } from '../pages/pool-queue.js';
import { PoolWorkers } from '../pages/pool-workers.js';
import { PoolsPage } from '../pages/pools.js';
import type { ViewParts, WebContext, WebEnvironment } from './view.js';

export function poolViews({ context, show }: ViewParts): Hono<WebEnvironment> {
  const app = new Hono<WebEnvironment>();
  const poolOf = (c: WebContext, right: Right) =>
    poolFor(context, c.get('rights'), c.req.param('pool') ?? '', right);

  const showPool = (c: WebContext, pool: PoolRow, tab: PoolTab, content: Child) =>
    show(
      c,
      {
        title: pool.public ? 'Public worker pool' : pool.name,
        // Who may look at the public pool may not follow what its workers do.
        live: pool.public ? 'pools' : `pool/${pool.id}`,
        trail: [['Pools', '/pools']],
      },
      <PoolFrame context={context} pool={pool} tab={tab} rights={c.get('rights')}>
        {content}
      </PoolFrame>,
    );
  const showQueue = (c: WebContext, pool: PoolRow) => {
    const { text = '', type = '', after = '', held = '' } = c.req.query();
    const rights = c.get('rights');
    const filter = { text, type, after, held };
    return showPool(
      c,
      pool,
      'queued',
      <PoolQueue context={context} pool={pool} rights={rights} filter={filter} />,
    );
  };
  const showUsers = (c: WebContext, pool: PoolRow) =>
    showPool(c, pool, 'used-by', <UsedBy context={context} pool={pool} rights={c.get('rights')} />);

  const showActivity = (c: WebContext, pool: PoolRow) => {
    const { span = '' } = c.req.query();
    return showPool(
      c,
      pool,
      'activity',
      <ActivityCharts
        context={context}
        rights={c.get('rights')}
        span={isSpan(span) ? span : '24h'}
        pool={pool.id}
        address={tabAddress(pool, 'activity')}
      />,
    );
  };

  app.get('/pools', (c) =>
    show(
      c,
      { title: 'Worker pools', live: 'pools' },
      <PoolsPage context={context} rights={c.get('rights')} />,
    ),
  );
  app.get('/pools/public', async (c) => showQueue(c, await getPool(context, publicPoolId)));
  app.get('/pools/public/used-by', async (c) => showUsers(c, await getPool(context, publicPoolId)));
  app.get(`/pools/${publicPoolId}/:tab?`, (c) => c.redirect('/pools/public', 303));
  app.get('/pools/:pool', async (c) => {
    const pool = await poolOf(c, 'read');
    return showPool(
      c,
      pool,
      'workers',
      <PoolWorkers context={context} pool={pool} rights={c.get('rights')} />,
    );
  });
  app.get('/pools/public/activity', async (c) => showActivity(c, await getPool(context, publicPoolId)));
  app.get('/pools/:pool/activity', async (c) => showActivity(c, await poolOf(c, 'read')));
  app.get('/pools/:pool/queued', async (c) => showQueue(c, await poolOf(c, 'read')));
  app.get('/pools/:pool/used-by', async (c) => showUsers(c, await poolOf(c, 'read')));

  app.post('/pools/:pool/:order{drain|undrain}', async (c) => {
    const { id } = await poolOf(c, 'operate');
    await setAllDrained(c.get('own'), id, c.req.param('order') === 'drain');
    return c.redirect(`/pools/${id}`, 303);
  });
  app.post('/pools/:pool/cycle', async (c) => {
    const { id } = await poolOf(c, 'operate');
    await cyclePool(c.get('own'), id);
    return c.redirect(`/pools/${id}`, 303);
  });
  app.post('/pools/:pool/workers/:worker/:order{drain|undrain}', async (c) => {
    const { pool, worker, order } = c.req.param();
    await poolOf(c, 'operate');
    await setDrained(c.get('own'), pool, worker, order === 'drain');
    return c.redirect(`/pools/${pool}`, 303);
  });
  return app;
}
