// Tells other processes on the same database what has changed, and this one what has changed there.
import { sql, type Kysely } from 'kysely';
import type { Logger } from 'pino';
import * as z from 'zod';
import type { ControlPlaneEvent, Events } from '../events.js';
import { presenceChannel, type Presence } from './presence.js';
import type { Database } from './schema.js';

/** Bytes of one notification; PostgreSQL allows 7999. */
const maximum = 7000;

const toldSchema = z.object({ from: z.string(), events: z.array(z.looseObject({ kind: z.string() })) });

export interface RelayOptions {
  readonly db: Kysely<Database>;
  readonly presence: Pick<Presence, 'onTold'>;
  /** Names this process among the others. */
  readonly process: string;
  readonly log: Logger;
}

/**
 * Events that reach the listeners of every process. An event is a hint, so one that cannot be told is only
 * logged; those that come while others are being told go together, each once.
 */
export function relayEvents(events: Events, { db, presence, process, log }: RelayOptions): Events {
  const waiting = new Set<string>();
  let telling = false;

  async function tell(): Promise<void> {
    telling = true;
    try {
      while (waiting.size > 0) {
        const texts = takeSome(waiting);
        const payload = `{"from":${JSON.stringify(process)},"events":[${texts.join(',')}]}`;
        await sql`select pg_notify(${presenceChannel}, ${payload})`.execute(db);
      }
    } catch (error) {
      waiting.clear();
      log.warn({ err: error }, 'other processes could not be told of a change; they will see it later');
    } finally {
      telling = false;
    }
  }

  presence.onTold((text) => {
    const told = parse(text);
    if (told === undefined || told.from === process) return;
    // Written by this program in another process, of which an older version may not know every kind.
    for (const event of told.events) events.emit(event as unknown as ControlPlaneEvent, 'elsewhere');
  });

  return {
    subscribe: (listener) => events.subscribe(listener),
    emit(event) {
      events.emit(event);
      waiting.add(JSON.stringify(event));
      if (!telling) void tell();
    },
  };
}

function takeSome(waiting: Set<string>): string[] {
  const taken: string[] = [];
  let size = 0;
  for (const text of waiting) {
    size += Buffer.byteLength(text) + 1;
    if (taken.length > 0 && size > maximum) break;
    waiting.delete(text);
    taken.push(text);
  }
  return taken;
}

function parse(text: string): z.infer<typeof toldSchema> | undefined {
  try {
    return toldSchema.parse(JSON.parse(text));
  } catch {
    // Somebody else uses the channel.
    return undefined;
  }
}
