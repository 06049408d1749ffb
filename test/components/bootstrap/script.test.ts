import { execFileSync, spawnSync } from 'node:child_process';
import { gzipSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { bootScript } from '../../../components/bootstrap/script.js';
import type { BootSettings } from '../../../components/bootstrap/settings.js';
import { fileOf, quoted, withoutComments } from '../../../components/bootstrap/shell.js';
import type { Cloud } from '../../../components/machines.js';
import { available, hasProgram } from '../../support/skips.js';
import { everyOption, minimal } from '../support/boot-settings.js';
import { fileIn, functionsIn } from '../support/user-data.js';

const clouds: readonly Cloud[] = ['aws', 'azure', 'google'];
const shellcheck = available(
  'ShellCheck of the boot scripts',
  hasProgram('shellcheck', '--version'),
  'no shellcheck here (Debian: shellcheck)',
);

describe.each(clouds)('the boot script of %s', (cloud) => {
  const variants: Record<string, BootSettings> = {
    'with the least': minimal(cloud),
    'with every option': everyOption(cloud),
  };

  it.each(Object.keys(variants))('is bash that can be read, %s', (name) => {
    const result = spawnSync('bash', ['-n'], { input: bootScript(variants[name]!), encoding: 'utf8' });
    expect(result.stderr).toBe('');
    expect(result.status).toBe(0);
  });

  it.runIf(shellcheck).each(Object.keys(variants))('has no findings of ShellCheck, %s', (name) => {
    for (const script of programsOf(bootScript(variants[name]!))) {
      const result = spawnSync('shellcheck', ['--shell=bash', '--exclude=SC1091', '-'], {
        input: script,
        encoding: 'utf8',
      });
      expect(result.stdout).toBe('');
    }
  });

  it('is below the bound of EC2 with every option, compressed', () => {
    expect(gzipSync(bootScript(everyOption(cloud)), { level: 9 }).length).toBeLessThan(16_384);
  });

  it('hands every setting to the launcher unchanged, whatever is in it', () => {
    const odd = `it's "odd" $HOME \`id\` \\ %s ü\nsecond line`;
    const settings = { ...minimal(cloud), environment: { SPACELIFT_METADATA_odd: odd } };
    const file = fileIn(bootScript(settings), '/opt/poolwright/launcher.env');
    const printed = execFileSync('bash', ['-c', `${file}\nprintf %s "$SPACELIFT_METADATA_odd"`], {
      encoding: 'utf8',
    });
    expect(printed).toBe(odd);
  });
});

describe('parts of a script', () => {
  it.each(['plain', "it's", '', '$(id)', "''"])('quote %j as one word', (text) => {
    expect(execFileSync('bash', ['-c', `printf %s ${quoted(text)}`], { encoding: 'utf8' })).toBe(text);
  });

  it('end a file with a mark that is not in it', () => {
    expect(fileOf('/f', '644', 'a\nEND\nb')).toContain("<<'END_'\na\nEND\nb\nEND_\n");
  });

  it('lose comments but not the first line of a program', () => {
    expect(withoutComments('#!/bin/bash\n# why\ntrue # stays\n')).toBe('#!/bin/bash\ntrue # stays\n');
  });
});

describe('the cause of a failure', () => {
  const functions = functionsIn(bootScript(minimal('aws')));
  const tried = (command: string) =>
    spawnSync(
      'bash',
      [
        '-c',
        `set -Eeuo pipefail\nWORK=$(mktemp -d); STEP=test; CONSOLE=/dev/null\n${functions}
        trap 'echo trapped' ERR\nsleep() { :; }\nlogger() { echo "$4"; }\ncall() { ${command}; }\nretry 'the call' call`,
      ],
      { encoding: 'utf8' },
    ).stdout;

  it('is the last line that a command said, after six tries', () => {
    const said = tried("printf 'first\\n\\nlast\\r\\n\\n' >&2; return 1");
    expect(said.match(/again in/g)).toHaveLength(5);
    expect(said).toContain('test failed: the call: last');
    expect(said).not.toContain('trapped');
  });

  it('is missed without ending the tries when a command said nothing', () => {
    const said = tried('return 1');
    expect(said.match(/again in/g)).toHaveLength(5);
    expect(said).toContain('the call: it gave no reason');
    expect(said).not.toContain('trapped');
  });
});

describe('strings read from JSON by the shell', () => {
  const functions = fileIn(bootScript(minimal('aws')), '/opt/poolwright/functions');
  const read = (json: string, name: string) =>
    spawnSync('bash', ['-c', `${functions}\njson_text "$1"`, 'bash', name], {
      input: json,
      encoding: 'utf8',
    });

  it.each([
    'plain',
    'with "quotes" and \\ backslashes',
    'lines\nand\ttabs\r\n',
    'ünïcödé – 世界',
    '{"SPACELIFT_TOKEN":"nested"}',
    '',
  ])('come out as %j went in', (text) => {
    expect(read(JSON.stringify({ other: 'x', wanted: text, more: 1 }), 'wanted').stdout).toBe(text);
    expect(read(JSON.stringify({ wanted: text }, null, 2), 'wanted').stdout).toBe(text);
  });

  it('are read when characters are escaped by number', () => {
    expect(read('{"a":"\\u003ctag\\u003e \\u00fc \\u4e16"}', 'a').stdout).toBe('<tag> ü 世');
  });

  it('are missed when they are not there or cut', () => {
    expect(read('{"a":"b"}', 'c').status).not.toBe(0);
    expect(read('{"a":"b', 'a').status).not.toBe(0);
  });
});

/** The boot script and the programs that it writes, each with what it reads first. */
function programsOf(script: string): string[] {
  const settings = fileIn(script, '/opt/poolwright/settings');
  const functions = fileIn(script, '/opt/poolwright/functions');
  const before = `# shellcheck disable=SC2034,SC2317,SC2329\n:\n${settings}STEP=\nBOOTED=/x\nWORK=/run/x\nRUNTIME_DIRECTORY=/run\n${functions}`;
  const helper = script.includes('docker-credential-') ? ['bin/docker-credential-poolwright'] : [];
  const programs = ['boot', 'prepare', 'start', 'ended', ...helper].map(
    (name) => before + fileIn(script, `/opt/poolwright/${name}`),
  );
  // The files that user data writes are looked at above.
  return [
    ...programs,
    script.replace('#cloud-boothook\n', '').replaceAll(/<<'(END_*)'\n[^]*?\n\1\n/g, '</dev/null\n'),
  ];
}
