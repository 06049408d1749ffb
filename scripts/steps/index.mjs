// The build steps by name, in the order of a whole build.
import { database } from './database.mjs';
import { executables } from './executables.mjs';
import { launcher } from './launcher.mjs';
import { policyEngine } from './policy-engine.mjs';
import { programs } from './programs.mjs';
import { types } from './types.mjs';
import { web } from './web.mjs';

/**
 * @typedef {object} Step
 * @property {string} what what it makes, for a progress line
 * @property {readonly string[]} inputs glob patterns whose files' content decides whether to run again
 * @property {readonly string[]} [files] further single files that count as inputs
 * @property {readonly string[]} outputs paths that must exist for the step to be skipped
 * @property {readonly string[]} [needs] steps that come before
 * @property {() => Promise<string | void>} run does the work; the answer is added to the progress line
 */

/** @type {Readonly<Record<string, Step>>} */
export const buildSteps = { programs, launcher, web, database, types, policyEngine, executables };
