// No option without its effect: the settings, the table of effects and the page for users name the same variables.
import { readFileSync } from 'node:fs';
import { describe, expect, it, test } from 'vitest';
import { families } from '../../../launcher/settings/families.js';
import { variables } from '../../../launcher/settings/variables.js';
import { contract, own } from './table.js';

const known = [...Object.values(variables), ...Object.values(families)].map(({ name }) => name).sort();
const effects = { ...contract, ...own };

describe('the options of the launcher', () => {
  it('have each its effect in the table, and the table has no others', () => {
    expect(Object.keys(effects).sort()).toEqual(known);
  });

  const named = Object.entries(effects).flatMap(([name, effect]) =>
    [effect, effect.control].flatMap((each) => (each === undefined ? [] : [[name, each] as const])),
  );
  test.each(named)('%s is seen in a test that is there', (_, { file, test: title }) => {
    const text = readFileSync(new URL(`../../${file}`, import.meta.url), 'utf8');
    const quoted = title.replaceAll(/[.*+?^${}()|[\]\\]/g, '\\$&');
    expect(text).toMatch(new RegExp(`\\b(it|test)\\b.*\\(\\s*['"]${quoted}['"]`));
  });

  it('are on the page for users, each with its default', () => {
    const page = readFileSync(new URL('../../../docs/launcher.md', import.meta.url), 'utf8');
    const rows = [...page.matchAll(/^\| `([A-Z][A-Za-z_<>]+)` \| .+ \| (.+) \|$/gm)];
    expect(rows.map(([, name]) => name).sort()).toEqual(known);
    for (const [, name, shown] of rows) {
      const variable = Object.values(variables).find((each) => each.name === name);
      if (variable === undefined) continue;
      const expected =
        variable.default === undefined
          ? 'required'
          : variable.default === ''
            ? ('noDefault' in variable && variable.noDefault) || 'none'
            : `\`${variable.default}\``;
      expect(shown?.replaceAll('`', ''), name).toBe(expected.replaceAll('`', ''));
    }
  });
});
