// The end of a pool's machines on EC2: the group's hook, which waits for the run, and the rights by which a worker answers
// it and protects itself.
import { LifecycleHook } from '@pulumi/aws/autoscaling/lifecycleHook.js';
import type { Group } from '@pulumi/aws/autoscaling/group.js';
import type { Role } from '@pulumi/aws/iam/role.js';
import { RolePolicy } from '@pulumi/aws/iam/rolePolicy.js';
import { derived } from '../late.js';
import { afterOf, type ChildOptions, type PoolPlan } from '../plan.js';

/** Names of hooks are the group's own. */
export const lifecycleHook = 'poolwright-finish-run';

/**
 * Seconds that the group waits for a worker's next sign: short, so that a broken machine is not waited for; but the group
 * waits a hundred times as long at most, so a hundredth of the longest run. Bounds: 30 to 7200
 * (docs.aws.amazon.com/autoscaling/ec2/APIReference/API_PutLifecycleHook.html).
 */
export function heartbeatTimeout(longestRun: number): number {
  return Math.min(7_200, Math.max(300, Math.ceil(longestRun / 100)));
}

/**
 * How long the group's deletion may take: its instances go first, each by the hook, which waits no longer than this
 * (docs.aws.amazon.com/autoscaling/ec2/userguide/lifecycle-hooks.html).
 */
export const longestEnd = '48h';

/**
 * `role`: null when it is not ours, and its owner gives the rights. `boot` knows the longest run. Hook and rights name the
 * group, so a deployment's end would take them away before it, and with them the runs of its machines: they go with it.
 */
export function endOfLife(
  name: string,
  group: Group,
  { role, boot }: { readonly role: Role | null; readonly boot: PoolPlan['boot'] },
  options: ChildOptions,
): void {
  new LifecycleHook(
    `${name}-finish-run`,
    {
      name: lifecycleHook,
      autoscalingGroupName: group.name,
      lifecycleTransition: 'autoscaling:EC2_INSTANCE_TERMINATING',
      heartbeatTimeout: derived(boot, ({ stopSeconds }) => heartbeatTimeout(stopSeconds)),
      defaultResult: 'CONTINUE',
    },
    { ...afterOf(options), deletedWith: group },
  );
  if (role === null) return;
  new RolePolicy(
    `${name}-life`,
    {
      role: role.name,
      policy: group.arn.apply((arn) =>
        JSON.stringify({
          Version: '2012-10-17',
          Statement: [
            {
              Effect: 'Allow',
              Action: [
                'autoscaling:SetInstanceProtection',
                'autoscaling:CompleteLifecycleAction',
                'autoscaling:RecordLifecycleActionHeartbeat',
              ],
              Resource: arn,
            },
          ],
        }),
      ),
    },
    { ...afterOf(options), deletedWith: role },
  );
}
