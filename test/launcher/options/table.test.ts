// No option without its effect: the settings, the table of effects and the page for users name the same variables.
import { readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, it, test } from 'vitest';
import { families } from '../../../launcher/settings/families.js';
import { sharedVariables } from '../../../launcher/settings/shared-variables.js';
import { variables } from '../../../launcher/settings/variables.js';
import { contract, own } from './table.js';

const known = [...Object.values(variables), ...Object.values(families), ...sharedVariables]
  .map(({ name }) => name)
  .sort();
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
      const shared = sharedVariables.find((each) => each.name === name);
      if (shared !== undefined) expect(shown?.replaceAll('`', ''), name).toBe(shared.otherwise);
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

  /** Of the surroundings of any program, or of systemd. */
  const ofTheSystem = ['HOME', 'PATH', 'XDG_STATE_HOME', 'NOTIFY_SOCKET', 'WATCHDOG_USEC'];

  it('are all that its code reads of its environment', () => {
    const folder = fileURLToPath(new URL('../../../launcher/', import.meta.url));
    const files = readdirSync(folder, { recursive: true, encoding: 'utf8' }).filter(
      // The pool controller has options of its own.
      (name) => name.endsWith('.ts') && !name.startsWith('kubernetes/'),
    );
    const read = files.flatMap((name) => {
      const text = readFileSync(`${folder}${name}`, 'utf8');
      const quoted = [...text.matchAll(/\b(?:env|environment)\[\s*'([A-Za-z_]+)'/g)];
      const named = [...text.matchAll(/Variable = '([A-Z_]+)'/g)];
      return [...quoted, ...named].map(([, variable = '']) => variable);
    });
    expect(read).toEqual(
      expect.arrayContaining(['DOCKER_HOST', 'POOLWRIGHT_POLICY_ENGINE', 'SSH_AUTH_SOCK']),
    );
    // POOLWRIGHT_WORLD is set for processes, and read of others'.
    const expected = new Set([...known, ...ofTheSystem, 'POOLWRIGHT_WORLD']);
    expect(read.filter((name) => !expected.has(name))).toEqual([]);
  });
});
