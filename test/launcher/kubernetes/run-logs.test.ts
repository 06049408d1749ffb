// Run logs on the standard output of a pod's containers: who asks for them, and which containers hear of it.
import { expect, test } from 'vitest';
import { podOf } from '../../../launcher/kubernetes/pod-spec.js';
import { runLogsOf } from '../../../launcher/kubernetes/pod/run-logs.js';
import { podSettings } from '../../../protocol/kubernetes/pod-settings.js';
import { worker } from './support/world.js';

const name = 'SPACELIFT_RUN_LOGS_ON_STANDARD_OUTPUT_ENABLED';
const assignment = { run: '01HZ0000000000000000000RRR', stack: 'network' };

function printed(...values: readonly (string | undefined)[]): string {
  let text = '';
  const printer = runLogsOf({
    assignment,
    environments: values.map((value) => (value === undefined ? {} : { [name]: value })),
    write: (more) => (text += more),
    now: () => 1500,
  });
  printer?.text('one\ntwo');
  printer?.end();
  return text;
}

test.each([
  ['nobody', [undefined, undefined], false],
  ['the container itself', ['true', undefined], true],
  ['the container worker', [undefined, '1'], true],
  ['the container worker, beside an empty one', ['', 'true'], true],
  ['the container worker, and the container itself does not want it', ['false', 'true'], false],
])('are asked for by %s', (_, values, wanted) => {
  const line = (msg: string) =>
    `${JSON.stringify({ run_ulid: assignment.run, stack_id: 'network', ts: 1.5, msg })}\n`;
  expect(printed(...values)).toBe(wanted ? line('one') + line('two') : '');
});

test('are refused with a value that is neither true nor false', () => {
  expect(() => printed('yes please')).toThrow(`${name}: expected true or false, got "yes please"`);
});

const initOf = (pod: object) => {
  const { spec } = podOf({
    ...{ run: assignment.run, attempt: 1, stage: 'PLAN', pool: 'p', workerId: 'w', worker },
    ...{ settings: podSettings.parse(pod), runnerImage: 'r', launcherImage: 'l', secretName: 's' },
  }) as { spec: { initContainers: { env: { name: string; value?: string }[] }[] } };
  return spec.initContainers[0]?.env.filter((variable) => variable.name === name);
};

test('reach the container init, where a log begins, from the settings of the container worker', () => {
  const yes = { name, value: 'true' };
  const from = { name, valueFrom: { configMapKeyRef: { name: 'logs', key: 'printed' } } };
  expect(initOf({})).toEqual([]);
  expect(initOf({ workerContainer: { env: [{ name: 'OTHER', value: 'x' }] } })).toEqual([]);
  expect(initOf({ workerContainer: { env: [yes, { name: 'OTHER', value: 'x' }] } })).toEqual([yes]);
  expect(initOf({ workerContainer: { env: [from] } })).toEqual([from]);
  const no = { name, value: 'false' };
  expect(initOf({ workerContainer: { env: [yes] }, initContainer: { env: [no] } })).toEqual([no]);
});
