// The two custom resources: WorkerPool, which people write, and Worker, which the controller writes.
import * as z from 'zod';
import { described, goDuration, secretKeyRef } from './fields.js';
import { podSettings } from './pod-settings.js';

const fromSecret = (description: string) => described(z.object({ secretKeyRef }), description);

const driftDetectionRunLimits = described(
  z.object({
    disabled: z.boolean().default(false).describe('No drift detection runs on this pool.'),
    maxRuns: z.int().min(0).optional().describe('Most drift detection runs at a time.'),
  }),
  {
    description: 'Drift detection on this pool. Only for pools that the controller registers itself.',
    'x-kubernetes-validations': [
      {
        rule: '!self.disabled || !has(self.maxRuns)',
        message: 'maxRuns cannot be set when disabled is true',
      },
      {
        rule: 'self.disabled || has(self.maxRuns)',
        message: 'either disabled must be true or maxRuns must be set',
      },
    ],
  },
);

/** Pods of failed runs that are kept where a pool says neither how many nor for how long. */
export const defaultFailedPods = 5;

export const workerPoolSpec = described(
  z.object({
    poolSize: z
      .int()
      .min(0)
      .default(1)
      .describe('How many workers the pool has; each processes one run at a time.'),
    token: fromSecret('The worker pool token.').optional(),
    privateKey: fromSecret("The pool's private key: base64, on one line, of the PEM text.").optional(),
    spaceliftAPICredentials: described(
      z.object({
        secretKeyRef: z.object({
          name: z.string().min(1).describe('Name of the Secret, with keyId, keySecret and endpoint.'),
          key: described(
            z.string().optional(),
            'Key whose value is a JSON object with keyId, keySecret and endpoint. Default: three keys of those names.',
          ),
          optional: z
            .boolean()
            .optional()
            .describe('Accepted for older manifests; the Secret is always needed.'),
        }),
      }),
      "API key with which the controller registers a pool that has no token. Default: the controller's own.",
    ).optional(),
    space: z.string().optional().describe('Space that a registered pool belongs to.'),
    description: z.string().optional().describe('Description of a registered pool.'),
    driftDetectionRunLimits: driftDetectionRunLimits.optional(),
    allowedRunnerImageHosts: described(
      z.array(z.string().min(1)).optional(),
      'Registries that runner images may come from, such as `docker.io`. Default: all.',
    ),
    keepSuccessfulPods: described(
      z.boolean().optional(),
      'Older setting: keep the pods of all successful runs. successfulPodsHistoryLimit says how many.',
    ),
    successfulPodsHistoryLimit: described(
      z.int().min(0).optional(),
      'How many pods of successful runs are kept. Default: 0; with successfulPodsHistoryTTL, all for that time.',
    ),
    // No default of the schema's: it would be there before anybody could see that only a time was given.
    failedPodsHistoryLimit: described(
      z.int().min(0).optional(),
      `How many pods of failed runs are kept. Default: ${String(defaultFailedPods)}; with failedPodsHistoryTTL, all for that time.`,
    ),
    successfulPodsHistoryTTL: goDuration(
      'How long pods of successful runs are kept, since they were made. Without a limit, it alone decides.',
    ).optional(),
    failedPodsHistoryTTL: goDuration(
      'How long pods of failed runs are kept, since they were made. Without a limit, it alone decides.',
    ).optional(),
    mqttReconnectRetryCount: described(
      z.int().min(0).default(5),
      'Failed tries to connect after which an event on the pool says so. The controller goes on trying.',
    ),
    pod: podSettings.default(podSettings.parse({})),
  }),
  {
    description: 'What the pool should be.',
    'x-kubernetes-validations': [
      {
        rule: 'has(self.token) == has(self.privateKey)',
        message:
          'token and privateKey must both be set, or both be left out to have the pool registered with API credentials',
      },
      {
        rule: '!has(self.keepSuccessfulPods) || !self.keepSuccessfulPods || !has(self.successfulPodsHistoryLimit) || self.successfulPodsHistoryLimit > 0',
        message: 'keepSuccessfulPods is true, but successfulPodsHistoryLimit keeps none',
      },
    ],
  },
);
export type WorkerPoolSpec = z.output<typeof workerPoolSpec>;

export const workerPoolStatus = described(
  z.object({
    desiredPoolSize: z.int().optional().describe('poolSize as the controller last saw it.'),
    actualPoolSize: z.int().optional().describe('Workers that there are.'),
    autoRegistered: z
      .boolean()
      .optional()
      .describe('Whether the controller made the pool at the control plane.'),
    selector: z.string().optional().describe('Labels of the workers, for autoscalers.'),
    message: z.string().optional().describe('Why the pool has no workers.'),
  }),
  'What the pool is.',
);
export type WorkerPoolStatus = z.output<typeof workerPoolStatus>;

export const workerStatus = described(
  z.object({
    registered: z.boolean().optional().describe('Whether the control plane knows the worker.'),
    state: z.string().optional().describe('IDLE, BUSY, DRAINED or OFFLINE.'),
    currentRunID: z.string().optional().describe('ULID of the run that the worker has.'),
  }),
  'What the worker does.',
);
export type WorkerStatus = z.output<typeof workerStatus>;
