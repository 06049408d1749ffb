// Puts what the workers of a shared line say in one moment into as few messages as fit.
import type { KeyObject } from 'node:crypto';
import type { CarriedMessage } from '../../protocol/lines.js';
import { protocolVersion, type UpMessage } from '../../protocol/messages.js';
import { proveRegistration, type Registrant } from '../../protocol/proof.js';
import { encodeUp } from '../../protocol/wire.js';

/** Bytes of the messages in one, roughly: brokers may end theirs at 128 kB. */
const fits = 64 * 1024;

export interface Freight {
  /** Resolves to whether the other side has it. Never throws. */
  say(worker: string, message: UpMessage): Promise<boolean>;
}

interface Piece {
  readonly worker: string;
  readonly message: UpMessage;
  readonly settle: (delivered: boolean) => void;
}

export function createFreight(options: {
  /** The line as it is now: its own id in the place of a worker's. */
  readonly line: () => Registrant;
  readonly privateKey: KeyObject;
  readonly publish: (payload: Buffer) => Promise<boolean>;
}): Freight {
  let pieces: Piece[] = [];

  function flush(): void {
    const all = pieces;
    pieces = [];
    let batch: Piece[] = [];
    let size = 0;
    for (const piece of all) {
      const bytes = Buffer.byteLength(JSON.stringify(piece.message)) + 64;
      if (batch.length > 0 && size + bytes > fits) {
        send(batch);
        batch = [];
        size = 0;
      }
      batch.push(piece);
      size += bytes;
    }
    send(batch);
  }

  function send(batch: readonly Piece[]): void {
    const line = options.line();
    const { session, at } = line;
    const registers = batch.some(({ message }) => message.type === 'register');
    const carried: CarriedMessage = {
      v: protocolVersion,
      ...{ session, at },
      type: 'carried',
      messages: batch.map(({ worker, message }) => ({ worker, message })),
      ...(registers ? { proof: proveRegistration(line, options.privateKey) } : {}),
    };
    void options.publish(encodeUp(carried)).then((delivered) => {
      for (const { settle } of batch) settle(delivered);
    });
  }

  return {
    say(worker, message) {
      return new Promise((settle) => {
        pieces.push({ worker, message, settle });
        // At the end of this turn: who speaks in the same moment goes along.
        if (pieces.length === 1) queueMicrotask(flush);
      });
    },
  };
}
