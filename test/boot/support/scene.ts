// Scenes of tests: their parts go with the test, and what all of them share with its file.
import { afterAll, onTestFinished } from 'vitest';
import type { Cloud } from '../../../components/machines.js';
import { createScene, type Scene, type SceneOptions } from './create-scene.js';
import { createEmulators } from './emulators.js';

export { canBoot, type Scene } from './create-scene.js';

const emulators = createEmulators();
afterAll(() => emulators.close());

/** Removed when the test is finished. */
export function scene(name: Cloud, options: SceneOptions = {}): Promise<Scene> {
  return createScene(name, options, emulators, onTestFinished);
}
