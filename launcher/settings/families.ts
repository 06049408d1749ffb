// Variables whose names have a part that the user chooses: metadata tags and VCS mappings.
import type { Fault } from '../../protocol/errors.js';
import { limits } from '../../protocol/limits.js';
import type { VcsMapping } from './settings.js';
import { shown } from './values.js';
import type { VariableFamily } from './variable.js';

export const families = {
  metadata: {
    name: 'SPACELIFT_METADATA_<key>',
    meaning: 'Tag <key> that the worker registers with, such as SPACELIFT_METADATA_instance_id.',
  },
  vcsName: {
    name: 'SPACELIFT_PRIVATEVCS_MAPPING_NAME_<n>',
    meaning: 'Name of a VCS agent pool, n = 0, 1, … without gaps.',
  },
  vcsEndpoint: {
    name: 'SPACELIFT_PRIVATEVCS_MAPPING_BASE_ENDPOINT_<n>',
    meaning: 'Address, with protocol, at which this worker reaches the Git hosts of that pool.',
  },
} as const satisfies Record<string, VariableFamily>;

type Environment = Readonly<Record<string, string | undefined>>;

const metadataPrefix = 'SPACELIFT_METADATA_';
const namePrefix = 'SPACELIFT_PRIVATEVCS_MAPPING_NAME_';
const endpointPrefix = 'SPACELIFT_PRIVATEVCS_MAPPING_BASE_ENDPOINT_';

/** The tags of the worker. Empty ones count as absent. */
export function readMetadata(environment: Environment, faults: Fault[]): Readonly<Record<string, string>> {
  const tags = withPrefix(environment, metadataPrefix);
  for (const [key, value] of tags) {
    const path = metadataPrefix + key;
    if (key === '') faults.push({ path, reason: 'expected a key after the last underscore' });
    if (key.length > limits.metadataKey) {
      faults.push({ path, reason: `the key is longer than ${String(limits.metadataKey)} characters` });
    }
    if (value.length > limits.metadataValue) {
      faults.push({ path, reason: `the value is longer than ${String(limits.metadataValue)} characters` });
    }
  }
  if (tags.length > limits.metadataEntries) {
    faults.push({
      path: `${metadataPrefix}<key>`,
      reason: `there are ${String(tags.length)} tags, at most ${String(limits.metadataEntries)} are accepted`,
    });
  }
  return Object.fromEntries(tags);
}

/** The mappings in the order of their numbers: each has both variables, and no number is left out. */
export function readVcsMappings(environment: Environment, faults: Fault[]): readonly VcsMapping[] {
  const names = numbered(environment, namePrefix, faults);
  const endpoints = numbered(environment, endpointPrefix, faults);
  const count = Math.max(-1, ...names.keys(), ...endpoints.keys()) + 1;
  const mappings: VcsMapping[] = [];
  for (let number = 0; number < count; number += 1) {
    const name = names.get(number);
    const endpoint = endpoints.get(number);
    const n = String(number);
    if (name === undefined && endpoint === undefined) {
      faults.push({
        path: `${namePrefix}${n}`,
        reason: `missing, though mapping ${String(count - 1)} is there: numbers start at 0 and have no gaps`,
      });
      // One gap is said once, however far away the next number is.
      break;
    }
    if (name === undefined) {
      faults.push({ path: `${namePrefix}${n}`, reason: `missing, though ${endpointPrefix}${n} is there` });
    }
    if (endpoint === undefined) {
      faults.push({ path: `${endpointPrefix}${n}`, reason: `missing, though ${namePrefix}${n} is there` });
      continue;
    }
    const baseEndpoint = readEndpoint(endpoint);
    if (baseEndpoint === undefined) {
      faults.push({
        path: `${endpointPrefix}${n}`,
        reason: `expected an address with protocol and without user or password, such as "https://git.internal"${got(endpoint)}`,
      });
    } else if (name !== undefined) {
      mappings.push({ name, baseEndpoint });
    }
  }
  return mappings;
}

function numbered(environment: Environment, prefix: string, faults: Fault[]): Map<number, string> {
  const found = new Map<number, string>();
  for (const [suffix, value] of withPrefix(environment, prefix)) {
    if (/^(0|[1-9]\d{0,3})$/.test(suffix)) found.set(Number(suffix), value);
    else faults.push({ path: prefix + suffix, reason: 'expected a number after the last underscore' });
  }
  return found;
}

/** Without a slash at its end; undefined when it is none, or when it carries a password. */
function readEndpoint(text: string): string | undefined {
  if (!/^https?:\/\//i.test(text) || !URL.canParse(text)) return undefined;
  const url = new URL(text);
  if (url.username !== '' || url.password !== '') return undefined;
  return text.replace(/\/+$/, '');
}

/** What may be shown of it: an address with a sign of a user in it may hold a password. */
function got(text: string): string {
  return text.includes('@') ? '' : `, got ${shown(text)}`;
}

function withPrefix(environment: Environment, prefix: string): [string, string][] {
  return Object.entries(environment).flatMap(([name, value]) =>
    name.startsWith(prefix) && value !== undefined && value !== ''
      ? [[name.slice(prefix.length), value] satisfies [string, string]]
      : [],
  );
}
