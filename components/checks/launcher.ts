// Checks of the launcher's options.
import { parseDuration } from '../../protocol/duration.js';
import { messageOf, type Fault } from '../../protocol/errors.js';
import type { LauncherArgs } from '../arguments.js';
import type { Known } from '../known.js';
import { checkWord, each } from './values.js';

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
