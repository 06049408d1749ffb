// No field, event or figure of pools on Kubernetes without the test that sees it, and none that the page for users leaves out.
import { readFileSync } from 'node:fs';
import * as z from 'zod';
import { describe, expect, it, test } from 'vitest';
import { eventReasons } from '../../launcher/kubernetes/events.js';
import { createMetrics } from '../../launcher/kubernetes/metrics.js';
import { podSettings } from '../../protocol/kubernetes/pod-settings.js';
import { workerPoolSpec, workerPoolStatus, workerStatus } from '../../protocol/kubernetes/resources.js';
import * as table from './table.js';

const page = readFileSync(new URL('../../docs/kubernetes.md', import.meta.url), 'utf8');
const fieldsOf = (schema: z.ZodType): string[] => {
  const { properties = {} } = z.toJSONSchema(schema, { unrepresentable: 'any' });
  return Object.keys(properties).sort();
};
const namesOf = (effects: object) => Object.keys(effects).sort();
const containerSettings = podSettings.shape.workerContainer;
const reasons = [...eventReasons.WorkerPool, ...eventReasons.Worker];

describe('the table of what pools on Kubernetes promise', () => {
  it('has every field of the custom resources', () => {
    expect(namesOf(table.spec)).toEqual(fieldsOf(workerPoolSpec));
    expect(namesOf(table.pod)).toEqual(fieldsOf(podSettings));
    expect(namesOf(table.container)).toEqual(fieldsOf(containerSettings));
    expect(namesOf(table.status)).toEqual([...fieldsOf(workerPoolStatus), ...fieldsOf(workerStatus)].sort());
  });

  it('has every event, and the page for users says what each means', () => {
    expect(namesOf(table.events)).toEqual([...reasons].sort());
    const rows = [...page.matchAll(/^\| `((?:Worker|Run|Scaled|Credentials)\w+)` \|/gm)];
    expect(rows.map(([, name]) => name).sort()).toEqual([...reasons].sort());
  });

  it('has the figures that people graph, and the page for users has all', async () => {
    const text = await createMetrics(() => []).text();
    const names = [...text.matchAll(/^# TYPE spacelift_workerpool_controller_(\S+)/gm)].map(
      ([, name]) => name,
    );
    expect(names).toEqual(expect.arrayContaining(Object.keys(table.figures)));
    for (const name of names) expect(page).toContain(`\`spacelift_workerpool_controller_${name ?? ''}\``);
  });

  it('is on the page for users, field by field', () => {
    const section = page.slice(page.indexOf('## Fields'), page.indexOf('## What the containers say'));
    const rows = [...section.matchAll(/^\| (`.+?) \|/gm)].flatMap(([, names = '']) =>
      [...names.matchAll(/`([\w.]+)`/g)].map(([, name = '']) => name),
    );
    const expected = [
      ...Object.keys(table.spec).filter((name) => name !== 'pod'),
      ...Object.keys(table.pod).map((name) => `pod.${name}`),
      ...Object.keys(table.container),
    ];
    expect(rows.sort()).toEqual(expected.sort());
  });

  const effects = [
    table.spec,
    table.pod,
    table.container,
    table.status,
    table.events,
    table.figures,
    table.guide,
  ];
  test.each(effects.flatMap((part) => Object.entries(part)))(
    '%s is seen in a test that is there',
    (_, { file, test: title }) => {
      const text = readFileSync(new URL(`../${file}`, import.meta.url), 'utf8');
      const quoted = title.replaceAll(/[.*+?^${}()|[\]\\]/g, '\\$&');
      expect(text).toMatch(new RegExp(`[\\w)]\\(\\s*['"]${quoted}['"]`));
    },
  );
});
