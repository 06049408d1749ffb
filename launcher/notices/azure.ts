// Azure: scheduled events of this instance of a scale set.
// Source: https://learn.microsoft.com/azure/virtual-machines/linux/scheduled-events
import * as z from 'zod';
import type { Clock } from '../clock.js';
import type { Ask } from './ask.js';
import { createAzureMetadata } from './azure-metadata.js';
import { azureProtection } from './azure-protection.js';
import { readDocument } from './document.js';
import type { CloudMachine, Notice } from './notice.js';
import { repeat } from './repeat.js';

export interface AzureOptions {
  readonly ask: Ask;
  readonly clock: Clock;
  /** From 0 up to, not including, 1. */
  readonly random: () => number;
  /** Of the metadata service; default: the one that every machine has. */
  readonly metadataEndpoint: string | null;
  /** Of the resource manager; default: that of the machine's own Azure. */
  readonly apiEndpoint: string | null;
  /** Which of the machine's identities to use; null when it has one. */
  readonly clientId: string | null;
}

/** Milliseconds between looks. A spot machine has 30 s from its event on. */
const every = 5_000;
/** Milliseconds: the first question switches the service on, which takes up to two minutes; later ones hide an event. */
const patience = { first: 130_000, usual: 10_000 } as const;
const path = 'scheduledevents?api-version=2020-07-01';

const eventSchema = z.object({
  EventId: z.string(),
  EventType: z.string(),
  EventStatus: z.string(),
  Resources: z.array(z.string()),
  /** Such as `Mon, 19 Sep 2016 18:29:47 GMT`; empty when it has started. */
  NotBefore: z.string().nullish(),
});
type ScheduledEvent = z.output<typeof eventSchema>;
const documentSchema = z.object({ Events: z.array(z.unknown()) });

const meanings: Readonly<Record<string, string>> = {
  Terminate: 'Azure deletes this instance',
  Preempt: 'Azure takes this spot instance back',
  Reboot: 'Azure restarts this machine',
  Redeploy: 'Azure moves this machine to other hardware, and its temporary disk is lost',
  Freeze: 'Azure halts this machine for some seconds',
};

export function createAzureMachine(options: AzureOptions): CloudMachine {
  const { ask, clock, random, clientId } = options;
  const metadata = createAzureMetadata(options.metadataEndpoint ?? 'http://169.254.169.254', ask, clock);

  function noticeOf(event: ScheduledEvent): Notice {
    const { EventId: id, EventType: type, EventStatus: status, NotBefore: notBefore } = event;
    const time = metadata.local(Date.parse(notBefore ?? ''));
    const meaning = meanings[type] ?? `Azure announces ${type} for this machine`;
    const others = event.Resources.length > 1;
    return {
      id,
      what: status === 'Started' ? `${meaning} now` : `${meaning} (not before ${notBefore ?? 'long'})`,
      kind: type === 'Freeze' ? 'pause' : 'leave',
      deadline: status === 'Started' ? clock.now() : Number.isNaN(time) ? null : time,
      // An answer lets the event begin for all machines that it names, and others may have runs.
      ...(others || status === 'Started'
        ? {}
        : {
            acknowledge: (signal) =>
              metadata.post(path, JSON.stringify({ StartRequests: [{ EventId: id }] }), signal),
          }),
    };
  }

  return {
    cloud: 'Azure',
    watch(report, fault, signal) {
      let wait: number = patience.first;
      let complaint = '';
      return repeat({ clock, random, fault }, signal, async () => {
        const { name } = await metadata.itself(signal);
        const text = await metadata.get(path, signal, wait);
        wait = patience.usual;
        const { Events } = readDocument(documentSchema, text, 'the scheduled events');
        const read = Events.map((event) => eventSchema.safeParse(event));
        const understood = read.flatMap(({ data }) => data ?? []);
        report(understood.filter(({ Resources }) => Resources.includes(name)).map(noticeOf));
        // One that is not understood must not hide the others.
        const [issue] = read.flatMap(({ error }) => error?.issues ?? []);
        const message =
          issue === undefined ? '' : `a scheduled event, ${issue.path.join('.')}: ${issue.message}`;
        if (message !== complaint && message !== '') fault(new Error(message));
        complaint = message;
        return every;
      });
    },
    protection: azureProtection({ metadata, ask, endpoint: options.apiEndpoint, clientId }),
  };
}
