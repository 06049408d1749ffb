// What was asked of the stand-ins of clouds, one JSON object a line, in a file that all of their processes share.
import { appendFileSync, existsSync, readFileSync } from 'node:fs';
import type { Properties } from './values.js';

export interface Entry {
  readonly asked: 'create' | 'update' | 'delete' | 'invoke';
  /** Type of the resource, or token of the function. */
  readonly type: string;
  readonly name: string;
  readonly inputs: Properties;
}

export class Journal {
  constructor(readonly file: string) {}

  add(entry: Entry): void {
    appendFileSync(this.file, `${JSON.stringify(entry)}\n`);
  }

  entries(): readonly Entry[] {
    if (!existsSync(this.file)) return [];
    return readFileSync(this.file, 'utf8')
      .split('\n')
      .filter((line) => line !== '')
      .map((line) => JSON.parse(line) as Entry);
  }
}
