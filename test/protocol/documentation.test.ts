// docs/protocol.md and docs/errors.md say what the code does: every field, bound, word, time and code.
import { describe, expect, it } from 'vitest';
import type { z } from 'zod';
import { errorCodes } from '../../protocol/errors.js';
import { limits, rhythm } from '../../protocol/limits.js';
import * as lines from '../../protocol/lines.js';
import * as messages from '../../protocol/messages.js';
import { releaseSchema } from '../../protocol/launcher-release.js';
import { rsaBits } from '../../protocol/keys.js';
import { archiveContext, variableContext, workspaceContext } from '../../protocol/sealing/contexts.js';
import { maximumContext } from '../../protocol/sealing/envelope.js';
import { capacity, sizes } from '../../protocol/sealing/segments.js';
import { tokenSchema } from '../../protocol/token.js';
import { allUpTopics, downTopic, upTopic } from '../../protocol/topics.js';
import * as api from '../../protocol/worker-api.js';
import { opening, readDocument, rows, section, type Row } from './support/markdown.js';
import { factsOf } from './support/schema-facts.js';

const page = readDocument('protocol.md');
const up = opening(page, 'Messages from the launcher');
const down = opening(page, 'Messages to the launcher');
const records = opening(page, 'Log records');

describe('docs/protocol.md', () => {
  it.each<[string, z.ZodType, string]>([
    ['Token', tokenSchema, ''],
    ['register', messages.registerSchema, up],
    ['heartbeat', messages.heartbeatSchema, up],
    ['gone', messages.goneSchema, up],
    ['carried', lines.carriedSchema, up],
    ['present', lines.presentSchema, up],
    ['registered', messages.registeredSchema, down],
    ['assignment', messages.assignmentSchema, down],
    ['stop', messages.stopRunSchema, down],
    ['drain', messages.drainSchema, down],
    ['leave', messages.leaveSchema, down],
    ['release', messages.releaseOfferSchema, down],
    ['Launcher releases', releaseSchema, ''],
    ['log', api.logRecordSchema, records],
    ['state', api.stateRecordSchema, records],
    ['result', api.resultRecordSchema, records],
  ])('has every field of "%s" with its bounds and words, and no other', (heading, schema, common) => {
    const own = rows(opening(page, heading));
    const shared = rows(common);
    const facts = factsOf(schema);
    // What workers say on a shared line is described where they say it on one of their own.
    for (const path of facts.keys()) if (path.startsWith('messages[].message.')) facts.delete(path);
    const paths = [...facts.keys()];
    for (const [path, words] of facts) {
      // A field that only groups others is described by them.
      if (
        paths.some((other) => other.startsWith(`${path}.`) || other.startsWith(`${path}[]`)) &&
        words.size === 0
      )
        continue;
      const text = rowOf(own, path) ?? rowOf(shared, path);
      expect(text, `a row for "${path}"`).toBeDefined();
      if (['type', 'v', 'k'].includes(path)) continue;
      for (const word of words) expect(text, `"${path}"`).toContain(word);
    }
    const invented = own.flatMap(({ names }) => names).filter((name) => !paths.includes(name));
    expect(invented).toEqual([]);
  });

  it('describes every type of message and record', () => {
    const types = [
      ...lines.upwardSchema.options.map(({ shape }) => shape.type.value),
      ...messages.downMessageSchema.options.map(({ shape }) => shape.type.value),
      ...api.spoolRecordSchema.options.map(({ shape }) => shape.k.value),
    ];
    for (const type of types) expect(() => section(page, type)).not.toThrow();
  });

  it('has the envelope of signed messages', () => {
    for (const [path, words] of factsOf(messages.signedSchema)) {
      for (const word of words) expect(rowOf(rows(down), path)).toContain(word);
    }
  });

  it('has every limit', () => {
    const table = rows(section(page, 'Sizes and times'));
    for (const [name, value] of Object.entries(limits)) {
      expect(rowOf(table, name), name).toContain(` ${value.toLocaleString('en-US')} `);
    }
  });

  it('has every time', () => {
    const table = rows(section(page, 'Sizes and times'));
    for (const [name, value] of Object.entries(rhythm)) {
      expect(rowOf(table, name), name).toContain(` ${String(value / 1000)} s `);
    }
  });

  it('has the topics', () => {
    for (const topic of [upTopic('<pool>', '<worker>'), downTopic('<pool>', '<worker>'), allUpTopics]) {
      expect(section(page, 'MQTT')).toContain(`\`${topic}\``);
    }
  });

  it('has every call of the worker API', () => {
    const text = section(page, 'Worker API');
    expect(text).toContain(`GET ${api.launcherPath('<sha256>')}`);
    expect(text).toContain(`POST ${api.workerApi.accept('<run>', 1).replace('/1/', '/<attempt>/')}`);
    const base = api.workerApi.accept('<run>', 1).replace('/accept', '');
    for (const [name, path] of Object.entries(api.workerApi)) {
      if (name === 'accept') continue;
      expect(text, name).toContain(` …${path('<run>', 1, '<object>').replace(base, '')}\``);
    }
  });

  it('has every answer of the worker API', () => {
    const table = rows(section(page, 'Worker API'));
    for (const [code, status] of Object.entries(api.workerApiStatus)) {
      expect(
        table.some(({ text }) => text.startsWith(`| ${String(status)} | \`${code}\` |`)),
        code,
      ).toBe(true);
    }
    const bodies = { reject: api.rejectionSchema, 'answer to spool': api.spoolAnswerSchema };
    const more = {
      'answer to workspace': api.workspaceAnswerSchema,
      'every other answer': api.workerApiErrorSchema,
    };
    for (const [body, schema] of Object.entries({ ...bodies, ...more })) {
      for (const [path, words] of factsOf(schema)) {
        const row = table.find(({ text }) => text.startsWith(`| ${body} |`) && text.includes(`\`${path}\``));
        expect(row, `${body}: ${path}`).toBeDefined();
        for (const word of words) expect(row?.text).toContain(word);
      }
    }
  });

  it('has the sizes of keys and of the sealing format', () => {
    const number = (value: number) => value.toLocaleString('en-US');
    const keys = section(page, 'Keys and certificates');
    expect(keys).toContain(`${number(rsaBits.least)} to ${number(rsaBits.most)} bits`);
    const sealing = section(page, 'Sealing');
    const { segment, tag, salt, noncePrefix, streamHeader } = sizes;
    for (const text of [
      `Header, ${String(streamHeader)} bytes: the byte ${String(streamHeader)}, a random salt (${String(salt)}), a random nonce prefix (${String(noncePrefix)})`,
      `a tag of ${String(tag)} bytes`,
      `${number(segment)} bytes on the wire`,
      `${number(capacity(0))} bytes of plaintext in the first and ${number(capacity(1))} in every other`,
      `1 to ${String(maximumContext)} bytes`,
      ...[variableContext('<stack>', '<name>'), archiveContext('<object>'), workspaceContext('<run>')],
    ]) {
      expect(sealing).toContain(text);
    }
  });

  it('links only to headings that are there', () => {
    const anchors = [...page.matchAll(/^#+ (.*)$/gm)].map((match) =>
      match[1]!.toLowerCase().replaceAll(' ', '-'),
    );
    const links = [...page.matchAll(/\]\(#([^)]+)\)/g)].map((match) => match[1]!);
    expect(links.filter((link) => !anchors.includes(link))).toEqual([]);
  });
});

describe('docs/errors.md', () => {
  const table = rows(readDocument('errors.md'));

  it('has every code once, with its meaning and what to do', () => {
    expect(table.flatMap(({ names }) => names.slice(0, 1)).sort()).toEqual(Object.keys(errorCodes).sort());
    for (const [code, meaning] of Object.entries(errorCodes)) {
      const cells = rowOf(table, code)!.split(' | ');
      expect(cells[1]).toBe(meaning);
      expect(cells[2]!.length, `what to do about ${code}`).toBeGreaterThan(10);
    }
  });
});

function rowOf(table: readonly Row[], name: string): string | undefined {
  return table.find(({ names }) => names.includes(name))?.text;
}
