// Views of who may use this control plane; for administrators, as the API's fields for it are.
import { Hono } from 'hono';
import { createApiKey, endSessions, revokeApiKey, type Role } from '../../access/api-keys.js';
import { PoolwrightError } from '../../../protocol/errors.js';
import { readBody } from '../../http/body.js';
import { AccessPage } from '../pages/access.js';
import type { ViewParts, WebEnvironment } from './view.js';

/** Bytes of the form that makes a key. */
const largestForm = 16 * 1024;
const day = 24 * 60 * 60 * 1000;

export function accessViews({ context, show }: ViewParts): Hono<WebEnvironment> {
  const app = new Hono<WebEnvironment>();
  app.use('/access/*', async (c, next) => {
    c.get('rights').assert('administer');
    await next();
  });
  app.get('/access', (c) =>
    show(c, { title: 'Access' }, <AccessPage context={context} self={c.get('identity').id} />),
  );
  app.post('/access', async (c) => {
    const form = new URLSearchParams((await readBody(c, largestForm)).toString());
    const text = (name: string) => form.get(name)?.trim() ?? '';
    const { row, secret } = await createApiKey(c.get('own'), {
      id: text('id'),
      name: text('name'),
      role: roleOf(text('role')),
      spaces: [text('space')],
      expiresAt: text('days') === '' ? null : context.clock.now() + daysOf(text('days')) * day,
    });
    const made = { name: row.name, id: row.id, secret };
    return show(
      c,
      { title: 'Access' },
      <AccessPage context={context} self={c.get('identity').id} made={made} />,
    );
  });
  app.post('/access/:key/revoke', async (c) => {
    await revokeApiKey(c.get('own'), c.req.param('key'));
    return c.redirect('/access', 303);
  });
  app.post('/access/:key/end-sessions', async (c) => {
    await endSessions(c.get('own'), c.req.param('key'));
    return c.redirect('/access', 303);
  });
  return app;
}

function roleOf(text: string): Role {
  if (text === 'reader' || text === 'operator' || text === 'administrator') return text;
  throw new PoolwrightError('INVALID_ARGUMENT', 'Expected the role reader, operator or administrator.');
}

function daysOf(text: string): number {
  const days = Number(text);
  if (Number.isInteger(days) && days >= 1 && days <= 3650) return days;
  throw new PoolwrightError('INVALID_ARGUMENT', 'Expected a whole number of days from 1 to 3650.');
}
