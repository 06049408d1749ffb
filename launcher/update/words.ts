// What the launcher that was started and the worker process that it watches say to each other. The two may be of versions
// far apart, so this is kept small, and nothing in it changes its meaning.
import * as z from 'zod';

/** The first word, said at once. */
export const helloSchema = z.object({
  type: z.literal('hello'),
  /** Version of the launcher that watches. */
  base: z.string(),
  /** `released` of the newest release that runs or was given up; 0 when there is none. Only later ones are of use. */
  newest: z.number(),
  /** The release that was tried last and given up. */
  failed: z.object({ version: z.string(), reason: z.string() }).nullable(),
});
export type Hello = z.output<typeof helloSchema>;

/** A signal that the watching launcher got; the worker process itself takes none. */
export const signalSchema = z.object({ type: z.literal('signal'), signal: z.enum(['SIGTERM', 'SIGINT']) });

export const toWorkerSchema = z.discriminatedUnion('type', [helloSchema, signalSchema]);
export type ToWorker = z.output<typeof toWorkerSchema>;

export const fromWorkerSchema = z.discriminatedUnion('type', [
  /** It was registered: what it is can be trusted to start. */
  z.object({ type: z.literal('registered') }),
  /** It ends, in order and without a run, for a release that it has put on the shelf. */
  z.object({ type: z.literal('update'), version: z.string(), released: z.number() }),
]);
export type FromWorker = z.output<typeof fromWorkerSchema>;
