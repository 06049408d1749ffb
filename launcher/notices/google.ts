// Google Cloud: preemption, host maintenance and graceful shutdown, by waiting for changes of the metadata.
// Sources: https://cloud.google.com/compute/docs/metadata/querying-metadata,
// https://cloud.google.com/compute/docs/instances/graceful-shutdown-overview,
// https://cloud.google.com/compute/docs/instances/preemptible#preemption-process
import * as z from 'zod';
import type { Clock } from '../clock.js';
import { unexpected, type Answer, type Ask, type Question } from './ask.js';
import { createCloudClock } from './cloud-clock.js';
import { readDocument } from './document.js';
import type { CloudMachine, Notice } from './notice.js';
import { repeat } from './repeat.js';

export interface GoogleOptions {
  readonly ask: Ask;
  readonly clock: Clock;
  /** From 0 up to, not including, 1. */
  readonly random: () => number;
  /** Of the metadata server; default: the one that every machine has. */
  readonly metadataEndpoint: string | null;
}

/** Milliseconds from a preemption to the end, and from the notice of a maintenance that ends the machine. */
const spotTime = 30_000;
const maintenanceTime = 60_000;
/** Seconds that the server holds a question back when nothing changes. */
const holdBack = 60;
/** Milliseconds until a value that is not there is looked for again. */
const absent = 60_000;

/** Seconds, as a number, as text with or without `s`, or in the form of a protocol buffer. */
const durationSchema = z.union([
  z.number(),
  z.string().transform((text) => Number.parseFloat(text)),
  z.object({ seconds: z.coerce.number() }).transform(({ seconds }) => seconds),
]);
const shutdownSchema = z.object({
  stopState: z.string(),
  // A time that cannot be read is one that is not told: that the machine stops counts more.
  requestTimestamp: z.string().optional().catch(undefined),
  maxDuration: durationSchema.optional().catch(undefined),
});

export function createGoogleMachine(options: GoogleOptions): CloudMachine {
  const { ask, clock, random } = options;
  const time = createCloudClock(clock);
  const base = `${options.metadataEndpoint ?? 'http://169.254.169.254'}/computeMetadata/v1/instance`;

  async function get(path: string, signal: AbortSignal): Promise<Answer | undefined> {
    const question: Question = {
      url: `${base}/${path}`,
      headers: { 'metadata-flavor': 'Google' },
      timeout: (holdBack + 10) * 1000,
    };
    const answer = await ask(question, signal);
    time.heard(answer.headers);
    if (answer.status === 404) return undefined;
    if (answer.status !== 200) throw unexpected(question, answer);
    return answer;
  }

  /** Calls `changed` with the value at a path, at once and whenever it has changed. */
  function follow(
    path: string,
    signal: AbortSignal,
    fault: (error: unknown) => void,
    changed: (text: string) => void,
  ): Promise<void> {
    // The server answers at once when it knows of a newer value than that of the tag.
    let tag = '0';
    let known: string | undefined;
    return repeat({ clock, random, fault }, signal, async () => {
      const separator = path.includes('?') ? '&' : '?';
      const query = `${separator}wait_for_change=true&last_etag=${tag}&timeout_sec=${String(holdBack)}`;
      const answer = await get(path + query, signal);
      if (answer === undefined) return absent;
      const next = answer.headers.etag;
      const news = next === undefined || next !== tag;
      const text = answer.text.trim();
      // The same value under another tag is no news: it would get its time anew.
      if (text !== known) changed(text);
      known = text;
      tag = next ?? '0';
      // A server that does not hold questions back must not be asked without end.
      return next === undefined ? 5_000 : news ? 0 : 1_000;
    });
  }

  function shutdownNotice(text: string): Notice | undefined {
    const details = readDocument(shutdownSchema, text, 'the details of the shutdown');
    if (details.stopState !== 'PENDING_STOP') return undefined;
    const begun = time.local(Date.parse(details.requestTimestamp ?? ''));
    const seconds = details.maxDuration ?? Number.NaN;
    const deadline = (Number.isNaN(begun) ? clock.now() : begun) + seconds * 1000;
    return {
      id: 'shutdown',
      what: 'Google Cloud stops this machine (graceful shutdown)',
      kind: 'leave',
      deadline: Number.isNaN(deadline) ? null : deadline,
    };
  }

  function maintenanceNotice(text: string): Notice | undefined {
    if (text !== 'TERMINATE_ON_HOST_MAINTENANCE') return undefined;
    return {
      id: 'maintenance',
      what: 'Google Cloud stops this machine for maintenance of its host',
      kind: 'leave',
      deadline: clock.now() + maintenanceTime,
    };
  }

  function preemptionNotice(text: string): Notice | undefined {
    if (text !== 'TRUE') return undefined;
    return {
      id: 'preempted',
      what: 'Google Cloud takes this spot machine back',
      kind: 'leave',
      deadline: clock.now() + spotTime,
    };
  }

  return {
    cloud: 'Google Cloud',
    async watch(report, fault, signal) {
      const told = new Map<string, Notice>();
      const followed = (path: string, noticeOf: (text: string) => Notice | undefined) =>
        follow(path, signal, fault, (text) => {
          const notice = noticeOf(text);
          if (notice === undefined) told.delete(path);
          else told.set(path, notice);
          report([...told.values()]);
        });
      await Promise.all([
        followed('preempted', preemptionNotice),
        followed('maintenance-event', maintenanceNotice),
        followed('shutdown-details/?recursive=true', shutdownNotice),
      ]);
    },
    // A managed instance group has nothing of the kind: a machine that is chosen may finish what it does, by graceful
    // shutdown, for up to an hour.
    protection: null,
  };
}
