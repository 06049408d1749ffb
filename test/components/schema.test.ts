// What the components take and give in other languages: components/schema.json, and the plugin that serves it.
import { execFile } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { describe, expect, it } from 'vitest';
import { startPlugin } from '../pulumi/support/plugin.js';

const root = fileURLToPath(new URL('../..', import.meta.url));

interface Described {
  readonly description?: string;
  readonly secret?: boolean;
}
type Properties = Readonly<Record<string, Described>>;
interface Schema {
  readonly version: string;
  readonly resources: Readonly<
    Record<string, Described & { readonly inputProperties: Properties; readonly properties: Properties }>
  >;
  readonly types: Readonly<Record<string, Described & { readonly properties: Properties }>>;
}

const text = await readFile(join(root, 'components', 'schema.json'), 'utf8');
const schema = JSON.parse(text) as Schema;

describe('the schema', () => {
  it('is what the sources say (npm run schema writes it anew)', async () => {
    await promisify(execFile)(process.execPath, [join(root, 'scripts', 'schema.mjs'), '--check']);
  }, 120_000);

  it('describes every component, every type and every property', () => {
    const places: [string, Described][] = Object.entries({ ...schema.resources, ...schema.types });
    for (const [token, item] of places.slice()) {
      for (const group of ['inputProperties', 'properties'] as const) {
        const properties = (item as Partial<Record<typeof group, Properties>>)[group] ?? {};
        for (const [name, property] of Object.entries(properties)) {
          places.push([`${token} ${group} ${name}`, property]);
        }
      }
    }
    expect(places.length).toBeGreaterThan(100);
    expect(places.filter(([, { description }]) => (description ?? '').length < 5)).toEqual([]);
  });

  it('keeps token and private key secret in every language', () => {
    for (const { inputProperties } of Object.values(schema.resources)) {
      const secret = Object.entries(inputProperties).filter(([, property]) => property.secret === true);
      expect(secret.map(([name]) => name)).toEqual(expect.arrayContaining(['token', 'privateKey']));
    }
  });

  it('has the version of the package', async () => {
    for (const file of ['package.json', 'components/package.json']) {
      const { version } = JSON.parse(await readFile(join(root, file), 'utf8')) as { version: string };
      expect(version).toBe(schema.version);
    }
  });

  it('is answered by the plugin, as the engine starts it', async () => {
    const plugin = await startPlugin(join(root, 'components'));
    try {
      expect(await plugin.schema()).toBe(text);
    } finally {
      await plugin.close();
    }
  }, 120_000);
});
