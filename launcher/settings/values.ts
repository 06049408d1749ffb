// Readers of single values. Each throws INVALID_SETTINGS with a reason that does not quote long values:
// what is pasted into the wrong variable by mistake may be a secret.
import { isAbsolute, posix } from 'node:path';
import { PoolwrightError } from '../../protocol/errors.js';
import { places } from '../executors/docker-places.js';
import type { Mount, PassedVariable } from './settings.js';

export function wrongValue(reason: string): PoolwrightError {
  return new PoolwrightError('INVALID_SETTINGS', reason);
}

/** A value as an error may show it. */
export function shown(text: string): string {
  return text.length <= 80 ? JSON.stringify(text) : `a text of ${String(text.length)} characters`;
}

const truths = new Set(['1', 't', 'T', 'TRUE', 'true', 'True']);
const falsehoods = new Set(['0', 'f', 'F', 'FALSE', 'false', 'False']);

/** A boolean as Go's strconv.ParseBool reads it. */
export function readBoolean(text: string): boolean {
  if (truths.has(text)) return true;
  if (falsehoods.has(text)) return false;
  throw wrongValue(`expected true or false, got ${shown(text)}`);
}

/** One of the given words. */
export function readWord<Word extends string>(words: readonly Word[]): (text: string) => Word {
  return (text) => {
    const word = words.find((candidate) => candidate === text);
    if (word === undefined) throw wrongValue(`expected ${words.join(', ')}; got ${shown(text)}`);
    return word;
  };
}

/** The parts of a comma list. Blanks around them and empty parts are dropped. */
export function readList(text: string): readonly string[] {
  return text
    .split(',')
    .map((item) => item.trim())
    .filter((item) => item !== '');
}

const variableName = /^[A-Za-z_][A-Za-z0-9_]*$/;

/** A comma list of names of variables. */
export function readNames(text: string): readonly string[] {
  const names = readList(text);
  for (const name of names) assertVariableName(name);
  return names;
}

/** A comma list of names of variables, `ro_` and `wo_` before a name limit it to read or write runs. */
export function readPassedVariables(text: string): readonly PassedVariable[] {
  return readList(text).map((item) => {
    const [, prefix, name = ''] = /^(ro_|wo_)?(.*)$/s.exec(item) ?? [];
    assertVariableName(name);
    if (name === 'SPACELIFT_POOL_PRIVATE_KEY') {
      throw wrongValue(
        `${name} must not be passed to runs: with it a run could read what is sealed for others`,
      );
    }
    return { name, runs: prefix === 'ro_' ? 'read' : prefix === 'wo_' ? 'write' : 'all' };
  });
}

function assertVariableName(name: string): void {
  if (variableName.test(name)) return;
  throw wrongValue(`expected names of environment variables with commas between, got ${shown(name)}`);
}

/** A comma list of `/host/path:/container/path`. */
export function readMounts(text: string): readonly Mount[] {
  const mounts = readList(text).map(readMount);
  const twice = firstTwice(mounts.map(({ containerPath }) => containerPath));
  if (twice !== undefined) throw wrongValue(`two mounts go to ${shown(twice)}`);
  return mounts;
}

/** The first that is there twice. */
export function firstTwice(texts: readonly string[]): string | undefined {
  return texts.find((text, index) => texts.indexOf(text) !== index);
}

const ownPlaces: ReadonlySet<string> = new Set(Object.values(places));

function readMount(item: string): Mount {
  const parts = item.split(':');
  const [hostPath = '', containerPath = ''] = parts;
  if (parts.length !== 2 || !posix.isAbsolute(hostPath) || !posix.isAbsolute(containerPath)) {
    throw wrongValue(`expected "/host/path:/container/path" with commas between, got ${shown(item)}`);
  }
  const place = posix.resolve(containerPath);
  if (place === '/') {
    throw wrongValue(`a mount cannot take the place of the container's root, as ${shown(item)} would`);
  }
  if (ownPlaces.has(place))
    throw wrongValue(`runs have their own files in ${place}, which ${shown(item)} would hide`);
  return { hostPath, containerPath: place };
}

/** An absolute path, or null for none. */
export function readPath(text: string): string | null {
  if (text === '') return null;
  if (!isAbsolute(text)) throw wrongValue(`expected an absolute path, got ${shown(text)}`);
  return text;
}

/** A word without blanks, such as the name of a network. */
export function readName(text: string): string {
  if (/^\S+$/.test(text)) return text;
  throw wrongValue(`expected one word, got ${shown(text)}`);
}

/** A port number, or null for none. */
export function readPort(text: string): number | null {
  if (text === '') return null;
  const port = /^\d{1,5}$/.test(text) ? Number(text) : 0;
  if (port < 1 || port > 65_535) throw wrongValue(`expected a port from 1 to 65535, got ${shown(text)}`);
  return port;
}

/** Address of a service, without a slash at its end, or null for none. */
export function readEndpoint(text: string): string | null {
  if (text === '') return null;
  // With a sign of a user in it, it may hold a password, which messages would show.
  if (text.includes('@'))
    throw wrongValue('expected an address without user or password, such as "https://host"');
  if (/^https?:\/\//.test(text) && URL.canParse(text)) return text.replace(/\/+$/, '');
  throw wrongValue(`expected an address such as "https://host", got ${shown(text)}`);
}

/** The same, or null for none. */
export function readOptionalName(text: string): string | null {
  return text === '' ? null : readName(text);
}
