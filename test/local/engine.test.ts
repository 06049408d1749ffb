import { describe, expect, it } from 'vitest';
import { createOutput } from '../../control-plane/cli/output.js';
import { chooseExecutor, type Engine } from '../../control-plane/local/engine.js';
import { createNarrator } from '../../control-plane/local/narrator.js';
import { keptTerminal } from '../cli/support/terminal.js';

const image = 'registry.example.com/runner:1';

function engine(parts: Partial<Engine>): Engine {
  return {
    ping: () => Promise.resolve(),
    hasImage: () => Promise.resolve(true),
    pull: () => Promise.reject(new Error('not expected')),
    ...parts,
  };
}

async function choice(wanted: 'auto' | 'docker' | 'host', parts: Partial<Engine>) {
  const terminal = keptTerminal();
  const narrator = createNarrator(createOutput(terminal, false));
  const signal = new AbortController().signal;
  return {
    kind: await chooseExecutor(wanted, image, engine(parts), narrator, signal),
    said: terminal.output(),
  };
}

describe('where local runs happen', () => {
  it('is a container when an engine answers and has the image', async () => {
    expect(await choice('auto', {})).toEqual({ kind: 'docker', said: '' });
  });

  it('is a container when the image can be pulled, which is said', async () => {
    const { kind, said } = await choice('auto', {
      hasImage: () => Promise.resolve(false),
      pull: (_image, onProgress) => {
        onProgress('Pulling: 3 of 5');
        return Promise.resolve();
      },
    });
    expect(kind).toBe('docker');
    expect(said).toMatch(/registry\.example\.com\/runner:1 is not here; pulling it[^]*3 of 5/);
  });

  it('is this machine, with a plain warning, when no engine answers', async () => {
    const { kind, said } = await choice('auto', { ping: () => Promise.reject(new Error('connect ENOENT')) });
    expect(kind).toBe('host');
    expect(said).toMatch(
      /! No container engine answers \(connect ENOENT\)\. Runs start as processes of this machine/,
    );
  });

  it('is this machine, with a plain warning, when the engine cannot pull', async () => {
    const { kind, said } = await choice('auto', {
      hasImage: () => Promise.resolve(false),
      pull: () => Promise.reject(new Error('no route to host')),
    });
    expect(kind).toBe('host');
    expect(said).toMatch(/! The image .* cannot be pulled \(no route to host\)/);
  });

  it('is what was asked for, without a question to the engine', async () => {
    const broken = { ping: () => Promise.reject(new Error('not expected')) };
    expect(await choice('docker', broken)).toEqual({ kind: 'docker', said: '' });
    expect(await choice('host', broken)).toEqual({ kind: 'host', said: '' });
  });

  it('stays open when a person ends the wait for the pull', async () => {
    const stop = new AbortController();
    const narrator = createNarrator(createOutput(keptTerminal(), false));
    const pulling = engine({
      hasImage: () => Promise.resolve(false),
      pull: (_image, _onProgress, signal) =>
        new Promise((_resolve, reject) => {
          signal.addEventListener('abort', () => {
            reject(new Error('aborted'));
          });
          stop.abort();
        }),
    });
    await expect(chooseExecutor('auto', image, pulling, narrator, stop.signal)).rejects.toThrow('aborted');
  });
});
