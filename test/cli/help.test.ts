// Holds docs/cli.md to the real help texts: `npx vitest run test/cli/help.test.ts -u` writes it anew.
import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import type { Command } from 'commander';
import { describe, expect, it } from 'vitest';
import { createProgram } from '../../control-plane/cli/program.js';
import { keptTerminal } from './support/terminal.js';

const document = fileURLToPath(new URL('../../docs/cli.md', import.meta.url));
const marker = '<!-- Below: the help of every command, written by test/cli/help.test.ts. -->';

/** The commands that do something, with all the words that call them. */
function leaves(
  command: Command,
  words: readonly string[],
): { words: readonly string[]; command: Command }[] {
  if (command.commands.length === 0) return [{ words, command }];
  return command.commands.flatMap((child) => leaves(child, [...words, child.name()]));
}

/** What `--help` prints for these words. */
async function helpOf(words: readonly string[]): Promise<string> {
  const terminal = keptTerminal();
  await createProgram(terminal)
    .parseAsync([...words, '--help'], { from: 'user' })
    .catch((error: unknown) => {
      expect(error).toMatchObject({ exitCode: 0 });
    });
  return terminal.output().trimEnd();
}

const all = leaves(createProgram(keptTerminal()), []).map((leaf) => ({
  ...leaf,
  name: leaf.words.join(' '),
}));

describe('the help', () => {
  it.each(all)('of $name has an example that the command line understands', async ({ words, command }) => {
    const help = await helpOf(words);
    const examples = help.split('\nExample:\n')[1]?.trim().split('\n') ?? [];
    expect(examples.length).toBeGreaterThan(0);
    for (const example of examples) {
      expect(example.trim().startsWith(`$ poolwright ${words.join(' ')}`)).toBe(true);
      const parts = [...example.matchAll(/'([^']*)'|(\S+)/g)].map(([, quoted, bare]) => quoted ?? bare ?? '');
      // Only commander's own reading is asked for, not the action.
      command.action(() => undefined);
      expect(() =>
        command.exitOverride().parse(parts.slice(2 + words.length), { from: 'user' }),
      ).not.toThrow();
    }
  });

  it.each(all)('of $name says what every option is for, and it takes --json', ({ command }) => {
    expect(command.options.filter(({ description }) => description === '')).toEqual([]);
    expect(command.options.map(({ long }) => long)).toContain('--json');
    expect(command.registeredArguments.filter(({ description }) => description === '')).toEqual([]);
  });

  it('is what docs/cli.md says', async () => {
    const [introduction = ''] = (await readFile(document, 'utf8')).split(marker);
    const sections = [`## poolwright\n\n\`\`\`text\n${await helpOf([])}\n\`\`\`\n`];
    for (const { words, name } of all) {
      sections.push(`## poolwright ${name}\n\n\`\`\`text\n${await helpOf(words)}\n\`\`\`\n`);
    }
    await expect(`${introduction}${marker}\n\n${sections.join('\n')}`).toMatchFileSnapshot(document);
  });
});
