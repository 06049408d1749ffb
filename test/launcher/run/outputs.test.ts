// What is made of the outputs that tools print, and what of them leaves the worker.
import { generateKeyPairSync } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { pulumiOutputs, reportOutputs, terraformOutputs } from '../../../launcher/run/outputs.js';
import { outputContext } from '../../../protocol/sealing/contexts.js';
import { openBytes } from '../../../protocol/sealing/open.js';
import { outputsSchema, type Output } from '../../../protocol/worker-api.js';
import { refusal } from '../../protocol/support/refusals.js';

const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });

describe('the outputs of', () => {
  it('OpenTofu and Terraform say themselves which are sensitive', () => {
    const json =
      '{"a":{"sensitive":false,"type":"string","value":"x"},"b":{"sensitive":true,"value":{"c":[1,null]}}}';
    expect(terraformOutputs(json)).toEqual([
      { name: 'a', text: 'x', sensitive: false },
      { name: 'b', text: '{"c":[1,null]}', sensitive: true },
    ]);
  });

  it('Pulumi are sensitive where they are shown in another form than they are, however deep', () => {
    const json =
      '{"shown":{"a":"x","b":"[secret]","c":{"d":"[secret]"}},"whole":{"a":"x","b":"y","c":{"d":"z"}}}';
    expect(pulumiOutputs(json)).toEqual([
      { name: 'a', text: 'x', sensitive: false },
      { name: 'b', text: 'y', sensitive: true },
      { name: 'c', text: '{"d":"z"}', sensitive: true },
    ]);
  });

  it('a tool that prints something else are refused without a word of it', () => {
    for (const text of ['hunter2', '{"a":"hunter2"}', '["hunter2"]'])
      for (const read of [terraformOutputs, pulumiOutputs]) {
        const error = refusal(() => read(text));
        expect(error.code).toBe('COMMAND_FAILED');
        expect(error.message).not.toContain('hunter2');
      }
  });
});

describe('a report of outputs', () => {
  async function report(sensitive: boolean, found: Parameters<typeof reportOutputs>[0]) {
    const lines: string[] = [];
    let outputs: Output[] = [];
    await reportOutputs(found, {
      stack: 'network',
      sensitive,
      privateKey,
      api: {
        putOutputs: (body) => {
          outputs = outputsSchema.parse(JSON.parse(body)).outputs;
          return Promise.resolve();
        },
      },
      onLine: (line) => lines.push(line),
      signal: new AbortController().signal,
    });
    return { lines, outputs };
  }

  const secret = { name: 'password', text: 'geheim', sensitive: true };

  it('withholds sensitive values unless it was told to seal them, and then only the pool can open them', async () => {
    const withheld = await report(false, [secret]);
    expect(withheld.outputs).toEqual([{ name: 'password', value: { kind: 'withheld' } }]);
    expect(withheld.lines.join()).toContain('stay on the worker: password');
    const [sealed] = (await report(true, [secret])).outputs;
    if (sealed?.value.kind !== 'sealed') throw new Error('expected a sealed value');
    const bytes = Buffer.from(sealed.value.data, 'base64');
    expect(openBytes(bytes, privateKey, outputContext('network', 'password')).toString()).toBe('geheim');
    expect(refusal(() => openBytes(bytes, privateKey, outputContext('network', 'other'))).code).toBe(
      'SEALED_DAMAGED',
    );
  });

  it('leaves out what is too large or too many, and names it', async () => {
    const large = { name: 'large', text: 'ü'.repeat(40_000), sensitive: false };
    const many = Array.from({ length: 501 }, (_, index) => ({
      name: `n${String(index)}`,
      text: '',
      sensitive: false,
    }));
    const { lines, outputs } = await report(false, [large, ...many]);
    expect(outputs).toHaveLength(500);
    expect(lines.join()).toContain('"large", "n500"');
  });
});
