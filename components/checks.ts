// The checks of arguments that pools share. All faults come back together, each with its place; warnings are only said.
import type { KeyObject } from 'node:crypto';
import { z } from 'zod';
import { loadPrivateKey, assertKeyBelongs } from '../protocol/keys.js';
import { decodeToken } from '../protocol/token.js';
import { parseDuration } from '../protocol/duration.js';
import { messageOf, PoolwrightError, type Fault } from '../protocol/errors.js';
import type { Distribution } from './bootstrap/settings.js';
import type { LauncherArgs, PoolSize, ProxyArgs } from './arguments.js';
import type { Architecture } from './launcher-artifact.js';
import { defaultMachine, least, machineOf, type Cloud } from './machines.js';

/** Arguments of which the parts that are not known yet are absent. */
type Known<Value> = { readonly [Name in keyof Value]?: unknown };

export function checkSize(size: Partial<PoolSize> | undefined, faults: Fault[]): Required<PoolSize> {
  const { min = 1, max = Math.max(1, min), desired = min } = size ?? {};
  const whole = (path: string, value: number, from: number) => {
    if (Number.isInteger(value) && value >= from) return;
    faults.push({ path, reason: `expected a whole number from ${String(from)}, got ${String(value)}` });
  };
  whole('size.min', min, 0);
  whole('size.max', max, 1);
  whole('size.desired', desired, 0);
  if (min > max)
    faults.push({ path: 'size.max', reason: `is ${String(max)}, below size.min (${String(min)})` });
  else if (desired < min || desired > max) {
    faults.push({
      path: 'size.desired',
      reason: `is ${String(desired)}, expected a number from size.min (${String(min)}) to size.max (${String(max)})`,
    });
  }
  return { min, max, desired };
}

export interface ChosenMachine {
  readonly machineType: string;
  readonly architecture: Architecture;
}

/** Architecture and type follow each other; what contradicts itself or is too small is a fault, the unknown a warning. */
export function checkMachine(
  cloud: Cloud,
  args: { readonly architecture?: string; readonly machineType?: string },
  faults: Fault[],
  warnings: string[],
): ChosenMachine {
  const { architecture, machineType } = args;
  if (architecture !== undefined && architecture !== 'x86_64' && architecture !== 'arm64') {
    faults.push({
      path: 'architecture',
      reason: `expected "x86_64" or "arm64", got ${JSON.stringify(architecture)}`,
    });
    return { machineType: machineType ?? defaultMachine[cloud].x86_64, architecture: 'x86_64' };
  }
  if (machineType === undefined) {
    const chosen = architecture ?? 'x86_64';
    return { machineType: defaultMachine[cloud][chosen], architecture: chosen };
  }
  const machine = machineOf(cloud, machineType);
  if (machine === undefined) {
    warnings.push(
      `machineType ${JSON.stringify(machineType)} is not in the table of known types: neither its size (at least ` +
        `${String(least.vcpu)} vCPU and ${String(least.memory)} GB) nor its architecture was checked`,
    );
    return { machineType, architecture: architecture ?? 'x86_64' };
  }
  if (machine.vcpu < least.vcpu || machine.memory < least.memory) {
    faults.push({
      path: 'machineType',
      reason:
        `${machineType} has ${String(machine.vcpu)} vCPU and ${String(machine.memory)} GB; a worker needs at least ` +
        `${String(least.vcpu)} vCPU and ${String(least.memory)} GB. The smallest default is ${defaultMachine[cloud][machine.architecture]}`,
    });
  }
  if (architecture !== undefined && architecture !== machine.architecture) {
    faults.push({
      path: 'architecture',
      reason: `is ${architecture}, but ${machineType} is ${machine.architecture}. Leave one of the two out`,
    });
  }
  return { machineType, architecture: machine.architecture };
}

/** One of some words; absent counts as the first. */
export function checkWord<const Words extends readonly [string, ...string[]]>(
  path: string,
  value: unknown,
  words: Words,
  faults: Fault[],
): Words[number] {
  const found = words.find((word) => word === (value ?? words[0]));
  if (found !== undefined) return found;
  faults.push({
    path,
    reason: `expected ${words.map((word) => `"${word}"`).join(' or ')}, got ${JSON.stringify(value)}`,
  });
  return words[0];
}

export function checkDisk(gigabytes: number | undefined, faults: Fault[]): number {
  const size = gigabytes ?? 40;
  if (!Number.isInteger(size) || size < 20 || size > 16_384) {
    faults.push({
      path: 'diskSizeGb',
      reason: `expected a whole number from 20 to 16384, got ${String(size)}`,
    });
  }
  return size;
}

/** Which of the three were given is known even where their values are not. */
export function checkCredentialsGiven(
  given: { readonly token: boolean; readonly privateKey: boolean; readonly credentials: boolean },
  faults: Fault[],
): void {
  if (given.credentials) {
    for (const name of ['token', 'privateKey'] as const) {
      if (given[name])
        faults.push({
          path: name,
          reason: 'is given beside credentials; give either the secret or its parts',
        });
    }
    return;
  }
  for (const name of ['token', 'privateKey'] as const) {
    if (!given[name])
      faults.push({ path: name, reason: 'is missing; give token and privateKey, or credentials' });
  }
}

/**
 * Faults of the pair; their messages never quote it. The bundled launcher reads the token as our control plane writes
 * it; other launchers have tokens of their own, of which only the broker's address and the certificate are known.
 */
export function checkCredentials(
  distribution: Distribution,
  pair: { readonly token: string; readonly privateKey: string },
  faults: Fault[],
): void {
  const collect = (path: string, read: () => void) => {
    try {
      read();
    } catch (error) {
      faults.push({ path, reason: messageOf(error) });
    }
  };
  let certificates: readonly string[] = [];
  collect('token', () => {
    certificates =
      distribution === 'bundled' ? [decodeToken(pair.token).certificate] : foreignCertificates(pair.token);
  });
  collect('privateKey', () => {
    const key = loadPrivateKey(encodedKey(pair.privateKey));
    const [first] = certificates;
    if (first !== undefined && !certificates.some((certificate) => belongs(key, certificate))) {
      assertKeyBelongs(key, first);
    }
  });
}

/** All certificates in a token of another control plane: its own and perhaps those of authorities. */
function foreignCertificates(token: string): readonly string[] {
  let value: unknown;
  try {
    value = JSON.parse(Buffer.from(token, 'base64').toString('utf8'));
  } catch {
    value = undefined;
  }
  if (!foreignToken.safeParse(value).success) {
    throw new PoolwrightError(
      'INVALID_TOKEN',
      'expected base64 of a JSON object with broker.endpoint. Copy the whole token as it was given when the pool was made',
    );
  }
  const found: string[] = [];
  const visit = (item: unknown): void => {
    if (typeof item === 'string') {
      for (const text of [item, Buffer.from(item, 'base64').toString('utf8')]) {
        if (text.trimStart().startsWith('-----BEGIN CERTIFICATE-----')) found.push(text);
      }
    } else if (item !== null && typeof item === 'object') Object.values(item).forEach(visit);
  };
  visit(value);
  return found;
}

const foreignToken = z.looseObject({ broker: z.looseObject({ endpoint: z.string().min(1) }) });

function belongs(key: KeyObject, certificate: string): boolean {
  try {
    assertKeyBelongs(key, certificate);
    return true;
  } catch {
    return false;
  }
}

/** The key as base64 on one line, as the launcher's variable has it. */
export function encodedKey(privateKey: string): string {
  const text = privateKey.trim();
  return text.startsWith('-----') ? Buffer.from(`${text}\n`).toString('base64') : text.replaceAll(/\s/g, '');
}

const image = /^\S+$/;
const variableName = /^[A-Za-z_][A-Za-z0-9_]*$/;

/** Faults of the launcher's options that are known. */
export function checkLauncher(options: Known<LauncherArgs>, faults: Fault[]): void {
  const at = (name: string) => `launcher.${name}`;
  for (const name of ['logsTimeout', 'runTimeout'] as const) {
    const value = options[name];
    if (typeof value !== 'string') continue;
    try {
      if (parseDuration(value) <= 0) faults.push({ path: at(name), reason: 'must be longer than 0' });
    } catch (error) {
      faults.push({ path: at(name), reason: messageOf(error) });
    }
  }
  for (const name of ['workerExtraMounts', 'workerRoExtraMounts', 'workerWoExtraMounts'] as const) {
    each(options[name], (mount, index) => {
      if (/^\/[^:,]*:\/[^:,]*$/.test(mount)) return;
      faults.push({
        path: `${at(name)}[${index}]`,
        reason: `expected "/host/path:/container/path", got ${JSON.stringify(mount)}`,
      });
    });
  }
  for (const name of ['maskEnvs', 'whitelistEnvs'] as const) {
    each(options[name], (variable, index) => {
      if (variableName.test(variable)) return;
      faults.push({
        path: `${at(name)}[${index}]`,
        reason: `expected the name of a variable, got ${JSON.stringify(variable)}`,
      });
    });
  }
  for (const key of Object.keys(options.metadata ?? {})) {
    if (/^[A-Za-z0-9_]+$/.test(key)) continue;
    faults.push({
      path: `${at('metadata')}.${key}`,
      reason: 'a key has letters, digits and underscores only',
    });
  }
  for (const key of Object.keys(options.environment ?? {})) {
    const path = `${at('environment')}.${key}`;
    if (!variableName.test(key)) faults.push({ path, reason: 'is not the name of a variable' });
    else if (/^SPACELIFT_(TOKEN|POOL_PRIVATE_KEY)$/.test(key)) {
      faults.push({ path, reason: 'travels by reference only: use token and privateKey, or credentials' });
    }
  }
  if (typeof options.defaultRunnerImage === 'string' && !image.test(options.defaultRunnerImage)) {
    faults.push({ path: at('defaultRunnerImage'), reason: 'expected the name of an image without spaces' });
  }
  checkMappings(options.privateVcsMappings, faults);
  checkDistribution(options, faults);
}

function checkMappings(mappings: unknown, faults: Fault[]): void {
  if (!Array.isArray(mappings)) return;
  mappings.forEach((mapping: { baseEndpoint?: unknown }, index) => {
    const { baseEndpoint } = mapping;
    if (typeof baseEndpoint !== 'string' || /^https?:\/\/[^\s@]+$/.test(baseEndpoint)) return;
    faults.push({
      path: `launcher.privateVcsMappings[${String(index)}].baseEndpoint`,
      reason: `expected an address with protocol such as "https://git.internal", without credentials`,
    });
  });
}

function checkDistribution(options: Known<LauncherArgs>, faults: Fault[]): void {
  const distribution = checkWord('launcher.distribution', options.distribution, distributions, faults);
  const { binaryLocation, binarySha256 } = options;
  if (typeof binarySha256 === 'string' && !/^[0-9a-f]{64}$/.test(binarySha256)) {
    faults.push({ path: 'launcher.binarySha256', reason: 'expected 64 hexadecimal digits in lower case' });
  }
  if (distribution !== 'selfHosted') {
    for (const [name, value] of Object.entries({ binaryLocation, binarySha256 })) {
      if (value !== undefined)
        faults.push({
          path: `launcher.${name}`,
          reason: `has no effect unless launcher.distribution is "selfHosted"`,
        });
    }
  }
}

export const distributions = ['bundled', 'hosted', 'selfHosted'] as const;

export function checkProxy(proxy: Known<ProxyArgs> | undefined, faults: Fault[]): void {
  for (const name of ['http', 'https'] as const) {
    const value = proxy?.[name];
    if (typeof value !== 'string') continue;
    const path = `proxy.${name}`;
    if (!/^https?:\/\//.test(value) || !URL.canParse(value)) {
      faults.push({ path, reason: 'expected an address such as "http://proxy.internal:3128"' });
    } else if (new URL(value).password !== '') {
      faults.push({
        path,
        reason: 'holds a password, and user data is no place for one; export the variable in startupScript',
      });
    }
  }
}

export function checkCertificates(certificates: unknown, faults: Fault[]): void {
  each(certificates, (pem, index) => {
    if (/^-----BEGIN CERTIFICATE-----[\s\S]+-----END CERTIFICATE-----\s*$/.test(pem.trim())) return;
    faults.push({
      path: `extraCaCertificates[${index}]`,
      reason: 'expected a certificate in PEM ("-----BEGIN CERTIFICATE-----")',
    });
  });
}

function each(list: unknown, look: (item: string, index: string) => void): void {
  if (!Array.isArray(list)) return;
  list.forEach((item: unknown, index) => {
    if (typeof item === 'string') look(item, String(index));
  });
}
