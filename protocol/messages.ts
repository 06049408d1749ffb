// What is said over the broker: schemas of every message, both ways. Bulk goes by HTTPS (worker-api.ts).
import * as z from 'zod';
import { signedReleaseSchema } from './launcher-release.js';
import { limits } from './limits.js';
import { runTypeSchema, stageSchema, toolSchema } from './runs.js';
import { ulidSchema } from './topics.js';

export const protocolVersion = 1;

const text = (max: number) => z.string().max(max);
const attempt = z.int().min(1).max(1_000_000);
const milliseconds = z.int().min(0);
const sessionSchema = z.string().regex(/^[0-9a-f]{32}$/, 'expected 32 hexadecimal digits');

/** The run a worker holds, or null when it is idle. */
export const heldRunSchema = z.object({ run: ulidSchema, attempt, begun: z.boolean() }).nullable();
export type HeldRun = z.infer<typeof heldRunSchema>;

/** Why the worker takes no run now, for people; null or not given when it does. */
export const unavailable = text(1024).nullable().optional();

/** What every message upwards begins with. */
export const upHead = { v: z.literal(protocolVersion), session: sessionSchema, at: milliseconds };

/** Sent after each connect, before anything else. */
export const registerSchema = z.object({
  ...upHead,
  type: z.literal('register'),
  metadata: z
    .record(z.string().min(1).max(limits.metadataKey), text(limits.metadataValue))
    .refine((entries) => Object.keys(entries).length <= limits.metadataEntries, {
      message: `expected at most ${String(limits.metadataEntries)} entries`,
    }),
  /** Version of the launcher: content hash of its bundle. */
  version: text(128),
  /** What it runs phases in. */
  executor: z.enum(['docker', 'host', 'pod']),
  held: heldRunSchema,
  /** True when the worker is told by its own machine to take nothing new (SIGTERM, instance notice). */
  leaving: z.boolean(),
  unavailable,
  /** What it was last told. It counts when the control plane has forgotten the worker: a drained one stays drained. */
  drained: z.boolean().optional(),
  /** That it has the pool's private key, see proof.ts. Asked for where the broker does not tell whose message it is. */
  proof: text(2048).optional(),
  /** Only of a launcher that takes releases. */
  updates: z
    .object({
      /** Version of the launcher as it was deployed; `version` is another one after an update. */
      base: text(128),
      /** The release that was tried last and given up. */
      failed: z.object({ version: text(128), reason: text(1024) }).nullable(),
    })
    .optional(),
});

/** Sent every `rhythm.heartbeat` and whenever `held`, `leaving` or `unavailable` changes. */
export const heartbeatSchema = z.object({
  ...upHead,
  type: z.literal('heartbeat'),
  held: heldRunSchema,
  leaving: z.boolean(),
  unavailable,
});

/** The last will, and the last word of an orderly end. */
export const goneSchema = z.object({
  ...upHead,
  type: z.literal('gone'),
  /** False: the connection broke. True: the launcher ends in order and holds no run. */
  orderly: z.boolean(),
  reason: text(1024),
});

export const upMessageSchema = z.discriminatedUnion('type', [registerSchema, heartbeatSchema, goneSchema]);
export type UpMessage = z.infer<typeof upMessageSchema>;

/** Every message from the control plane is bound to one worker's one session and has an end. */
const down = {
  v: z.literal(protocolVersion),
  id: ulidSchema,
  pool: ulidSchema,
  worker: ulidSchema,
  session: sessionSchema,
  issuedAt: milliseconds,
  expiresAt: milliseconds,
};

/** Answer to `register`. `issuedAt` also tells the launcher the control plane's clock. */
export const registeredSchema = z.object({
  ...down,
  type: z.literal('registered'),
  drained: z.boolean(),
});

/** Answer to a report of a session that the control plane does not know, or no longer: register again. */
export const unregisteredSchema = z.object({ ...down, type: z.literal('unregistered') });

const shellCommands = z.array(text(16 * 1024)).max(100);

export const hooksSchema = z.object({
  beforeInit: shellCommands,
  afterInit: shellCommands,
  beforePlan: shellCommands,
  afterPlan: shellCommands,
  beforeApply: shellCommands,
  afterApply: shellCommands,
  beforePerform: shellCommands,
  afterPerform: shellCommands,
});
export type Hooks = z.infer<typeof hooksSchema>;

/** Name of an output, as tools accept them. */
export const outputNameSchema = text(256).regex(/^[^\s/]+$/, 'expected a name without blanks and slashes');

/**
 * A variable of the run: in clear, or sealed to the pool (base64 of sealing.ts). What is sealed is the stack's own, with
 * context `variable/<stack>/<name>`, or comes `from` an output, with context `output/<stack>/<output>`.
 */
export const variableSchema = z.object({
  name: z.string().regex(/^[A-Za-z_][A-Za-z0-9_]{0,255}$/),
  value: z.discriminatedUnion('kind', [
    z.object({ kind: z.literal('plain'), text: text(64 * 1024) }),
    z.object({
      kind: z.literal('sealed'),
      data: text(128 * 1024),
      from: z.object({ stack: text(256), output: outputNameSchema }).optional(),
    }),
  ]),
});
export type Variable = z.infer<typeof variableSchema>;

/** A commit's full id. */
export const commitSchema = z.string().regex(/^[0-9a-f]{40,64}$/, 'expected 40 to 64 hexadecimal digits');

/** Where the files of a run come from. Objects are fetched by id through the worker API. */
export const sourceSchema = z.discriminatedUnion('kind', [
  z.object({
    kind: z.literal('git'),
    repository: text(2048),
    branch: text(512),
    /** Full commit id; null means the tip of the branch, which the launcher reports back. */
    commit: commitSchema.nullable(),
  }),
  /** A tar.gz that a user uploaded, sealed to the pool with context `archive/<object>`. */
  z.object({ kind: z.literal('archive'), object: ulidSchema }),
  z.object({ kind: z.literal('none') }),
]);
export type Source = z.infer<typeof sourceSchema>;

/** One stage of one run for one worker. The worker accepts it by the worker API or lets it expire. */
export const assignmentSchema = z.object({
  ...down,
  type: z.literal('assignment'),
  run: ulidSchema,
  attempt,
  stack: text(256),
  runType: runTypeSchema,
  stage: stageSchema,
  tool: toolSchema,
  runnerImage: text(1024).nullable(),
  projectRoot: text(1024).nullable(),
  source: sourceSchema,
  /** The sealed workspace that the stage before left (context `workspace/<run>`); null for a first stage. */
  workspace: ulidSchema.nullable(),
  hooks: hooksSchema,
  /** The plan, apply and destroy commands of the tool `commands`. Empty for other tools. */
  commands: z.object({ plan: shellCommands, apply: shellCommands, destroy: shellCommands }),
  /** Command of a task, otherwise null. */
  task: text(16 * 1024).nullable(),
  environment: z.array(variableSchema).max(500),
  /** Whether the outputs of the stack are asked for at the end of the stage. */
  outputs: z.boolean().optional(),
  bulk: z.object({ endpoint: z.url(), token: text(4096) }),
});
export type Assignment = z.infer<typeof assignmentSchema>;

/** Ends a run that the worker holds. The launcher's last record is then `result` with outcome `stopped`. */
export const stopRunSchema = z.object({
  ...down,
  type: z.literal('stop'),
  run: ulidSchema,
  attempt,
  /** `stop`: a person asked. `stale`: the attempt no longer counts; nothing of it is reported. */
  kind: z.enum(['stop', 'stale']),
  reason: text(1024),
});

/** Tells the worker whether it is drained, for its status and log; the control plane enforces it. */
export const drainSchema = z.object({ ...down, type: z.literal('drain'), drained: z.boolean() });

/** Tells the launcher to end: after its run, or now when `immediate`. */
export const leaveSchema = z.object({
  ...down,
  type: z.literal('leave'),
  immediate: z.boolean(),
  reason: text(1024),
});

/** Offers the pool's launcher release to a worker that takes them. The bundle is fetched by the worker API. */
export const releaseOfferSchema = z.object({
  ...down,
  type: z.literal('release'),
  release: signedReleaseSchema,
  /** The worker begins at a random moment within so many milliseconds. */
  within: milliseconds.max(24 * 60 * 60 * 1000),
  bulk: z.object({ endpoint: z.url(), token: text(4096) }),
});
export type ReleaseOffer = z.infer<typeof releaseOfferSchema>;

export const downMessageSchema = z.discriminatedUnion('type', [
  registeredSchema,
  unregisteredSchema,
  assignmentSchema,
  stopRunSchema,
  drainSchema,
  leaveSchema,
  releaseOfferSchema,
]);
export type DownMessage = z.infer<typeof downMessageSchema>;

/** What is on the wire downwards: the exact text that was signed, and an Ed25519 signature over its UTF-8 bytes. */
export const signedSchema = z.object({
  payload: text(limits.message),
  /** base64 */
  signature: text(128),
});
export type Signed = z.infer<typeof signedSchema>;
