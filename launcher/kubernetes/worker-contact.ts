// What is known of a worker's contact with the control plane, and the events that tell people of it.
import type { EventReason } from './events.js';

export interface ContactOwner {
  /** ULID. */
  readonly workerId: string;
  /** An event on the Worker object. */
  note(type: 'Normal' | 'Warning', reason: EventReason<'Worker'>, message: string): void;
}

const noTrouble = { tries: 0, reason: '' };

/** A class, like the agent that has it: a pool has thousands. */
export class WorkerContact {
  registered = false;
  drained = false;
  /** Failed tries to connect since it was last connected, and why the last one failed. */
  trouble: { readonly tries: number; readonly reason: string } = noTrouble;
  readonly #owner: ContactOwner;

  constructor(owner: ContactOwner) {
    this.#owner = owner;
  }

  found(isDrained: boolean): void {
    if (!this.registered) {
      const message = `The control plane knows it as ${this.#owner.workerId}.`;
      this.#owner.note('Normal', 'WorkerRegistered', message);
    }
    this.noteDrained(isDrained);
    this.registered = true;
    this.trouble = noTrouble;
  }

  /** `expected`: it is on its way out. */
  broke(reason: string, expected: boolean): void {
    if (this.registered && !expected) {
      const message = `It is out of contact, and tries to connect: ${reason}`;
      this.#owner.note('Warning', 'WorkerDisconnected', message);
    }
    this.registered = false;
    this.trouble = { tries: this.trouble.tries + 1, reason };
  }

  noteDrained(next: boolean): void {
    const was = this.drained;
    if (next && !was)
      this.#owner.note('Normal', 'WorkerDrained', 'It takes no further run until it is undrained.');
    if (!next && was) this.#owner.note('Normal', 'WorkerUndrained', 'It takes runs again.');
    this.drained = next;
  }
}
