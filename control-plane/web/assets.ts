// What browsers load besides pages: built files whose names change with their content.
import { readFile } from 'node:fs/promises';
import { Hono } from 'hono';
import { PoolwrightError } from '../../protocol/errors.js';
import { packageFile } from '../cli/package-file.js';
import type { ServerEnvironment } from '../http/body.js';

/** Address of a file by its name in the sources, such as `client.ts`. */
export type AssetUrl = (name: string) => string;

const types: Readonly<Record<string, string>> = {
  js: 'text/javascript; charset=utf-8',
  css: 'text/css; charset=utf-8',
  svg: 'image/svg+xml',
};

/** Reads the manifest of the build. Throws ARTEFACT_MISSING. */
export async function openAssets(): Promise<{ url: AssetUrl; routes: Hono<ServerEnvironment> }> {
  const folder = packageFile('dist', 'web');
  let manifest: Record<string, string>;
  try {
    manifest = JSON.parse(await readFile(`${folder}/manifest.json`, 'utf8')) as Record<string, string>;
  } catch (error) {
    throw new PoolwrightError(
      'ARTEFACT_MISSING',
      'The web pages are not built. Build them: npm run build -- web',
      {
        cause: error,
      },
    );
  }
  const files = new Set(Object.values(manifest));
  const routes = new Hono<ServerEnvironment>();
  routes.get('/assets/:file', async (c) => {
    const file = c.req.param('file');
    if (!files.has(file)) return c.notFound();
    const type = types[file.slice(file.lastIndexOf('.') + 1)] ?? 'application/octet-stream';
    return c.body(new Uint8Array(await readFile(`${folder}/${file}`)), 200, {
      'content-type': type,
      'cache-control': 'public, max-age=31536000, immutable',
    });
  });
  return { url: (name) => `/assets/${manifest[name] ?? name}`, routes };
}
