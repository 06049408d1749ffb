// EC2: the group's lifecycle hook, spot interruptions and rebalance recommendations, read from instance metadata.
// Sources: https://docs.aws.amazon.com/autoscaling/ec2/userguide/retrieving-target-lifecycle-state-through-imds.html,
// https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/spot-instance-termination-notices.html,
// https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/rebalance-recommendations.html
import * as z from 'zod';
import { messageOf } from '../../protocol/errors.js';
import type { Clock } from '../clock.js';
import type { Ask } from './ask.js';
import { createAutoScaling } from './ec2-auto-scaling.js';
import { readDocument } from './document.js';
import { createEc2Metadata } from './ec2-metadata.js';
import type { CloudMachine, Notice } from './notice.js';
import { repeat } from './repeat.js';

export interface Ec2Options {
  readonly ask: Ask;
  readonly clock: Clock;
  /** From 0 up to, not including, 1. */
  readonly random: () => number;
  /** Of the metadata service; default: the one that every instance has. */
  readonly metadataEndpoint: string | null;
  /** Of EC2 Auto Scaling; default: the region's. */
  readonly apiEndpoint: string | null;
  /** Name of the group's hook on terminating instances, or null for none. */
  readonly lifecycleHook: string | null;
}

/** Milliseconds between looks: what AWS recommends for interruptions. */
const every = 5_000;

const spotSchema = z.object({ action: z.string(), time: z.string() });
const rebalanceSchema = z.object({ noticeTime: z.string() });

export function createEc2Machine(options: Ec2Options): CloudMachine {
  const { ask, clock, random, lifecycleHook } = options;
  const metadata = createEc2Metadata({
    endpoint: options.metadataEndpoint ?? 'http://169.254.169.254',
    ask,
    clock,
  });
  const call = createAutoScaling({ metadata, ask, endpoint: options.apiEndpoint });

  async function itself(signal: AbortSignal): Promise<{ group: string; instance: string }> {
    return {
      group: await metadata.need('tags/instance/aws:autoscaling:groupName', signal),
      instance: await metadata.need('instance-id', signal),
    };
  }

  async function hooked(
    name: 'CompleteLifecycleAction' | 'RecordLifecycleActionHeartbeat',
    hook: string,
    signal: AbortSignal,
  ): Promise<void> {
    const { group, instance } = await itself(signal);
    const parameters = { AutoScalingGroupName: group, LifecycleHookName: hook, InstanceId: instance };
    const result = name === 'CompleteLifecycleAction' ? { LifecycleActionResult: 'CONTINUE' } : {};
    await call(name, { ...parameters, ...result }, signal);
  }

  async function hookNotice(signal: AbortSignal): Promise<Notice[]> {
    const target = await metadata.get('autoscaling/target-lifecycle-state', signal);
    if (target?.trim() !== 'Terminated') return [];
    return [
      {
        id: 'lifecycle',
        what: 'the Auto Scaling group takes this instance out of service',
        kind: 'leave',
        // As long as heartbeats are recorded, the group waits.
        deadline: null,
        ...(lifecycleHook === null
          ? {}
          : {
              acknowledge: (given) => hooked('CompleteLifecycleAction', lifecycleHook, given),
              prolong: (given) => hooked('RecordLifecycleActionHeartbeat', lifecycleHook, given),
            }),
      },
    ];
  }

  async function spotNotice(signal: AbortSignal): Promise<Notice[]> {
    const text = await metadata.get('spot/instance-action', signal);
    if (text === undefined) return [];
    const { action, time } = readDocument(spotSchema, text, 'the spot notice');
    const deadline = metadata.local(Date.parse(time));
    const what = `EC2 takes this spot instance back (${action} at ${time})`;
    return [{ id: 'spot', what, kind: 'leave', deadline: Number.isNaN(deadline) ? null : deadline }];
  }

  async function rebalanceNotice(signal: AbortSignal): Promise<Notice[]> {
    const text = await metadata.get('events/recommendations/rebalance', signal);
    if (text === undefined) return [];
    const { noticeTime } = readDocument(rebalanceSchema, text, 'the rebalance recommendation');
    const what = `EC2 expects to take this spot instance back soon (rebalance recommendation of ${noticeTime})`;
    return [{ id: 'rebalance', what, kind: 'leave', deadline: null }];
  }

  /** Reads all that it can: a question that fails must not hide what the others tell, and changes nothing of its own. */
  function createLook(report: (notices: readonly Notice[]) => void, fault: (error: unknown) => void) {
    const parts = [hookNotice, spotNotice, rebalanceNotice].map((read) => ({ read, told: [] as Notice[] }));
    let complaint = '';
    return async (signal: AbortSignal): Promise<number> => {
      const errors: unknown[] = [];
      for (const part of parts) {
        try {
          part.told = await part.read(signal);
        } catch (error) {
          signal.throwIfAborted();
          errors.push(error);
        }
      }
      if (errors.length === parts.length) throw errors[0];
      report(parts.flatMap(({ told }) => told));
      const message = errors.map(messageOf).join('; ');
      if (message !== complaint && errors.length > 0) fault(errors[0]);
      complaint = message;
      return every;
    };
  }

  return {
    cloud: 'EC2',
    watch(report, fault, signal) {
      const look = createLook(report, fault);
      return repeat({ clock, random, fault }, signal, () => look(signal));
    },
    protection: {
      async set(protect, signal) {
        const { group, instance } = await itself(signal);
        const parameters = { AutoScalingGroupName: group, 'InstanceIds.member.1': instance };
        await call('SetInstanceProtection', { ...parameters, ProtectedFromScaleIn: String(protect) }, signal);
      },
    },
  };
}
