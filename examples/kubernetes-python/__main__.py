"""A worker pool on Kubernetes, from Python, in the cluster of the current kubeconfig.

The deployment ends when two workers are connected. docs/kubernetes.md says how to build the image.

npm install && pulumi install      # the second makes the Python package from the components' schema
pulumi config set image registry.example/poolwright-launcher:1
pulumi config set --secret token "$(cat pool.token)"
pulumi config set --secret privateKey < pool.key
pulumi config set endpoint https://poolwright.example
pulumi config set pool 01ARZ3NDEKTSV4RRFFQ69G5FAV
pulumi config set apiKeyId KEY && pulumi config set --secret apiKeySecret SECRET
"""

import pulumi
import poolwright_workerpools as workerpools

config = pulumi.Config()

pool = workerpools.KubernetesWorkerPool(
    "builds",
    token=config.require_secret("token"),
    private_key=config.require_secret("privateKey"),
    size=workerpools.PoolSizeArgs(min=2, max=10),
    tags={"team": "platform"},
    launcher=workerpools.KubernetesLauncherArgs(
        image=config.require("image"),
        run_timeout="1h30m",
        mask_envs=["API_KEY"],
    ),
    pod=workerpools.PodArgs(
        # As in a manifest.
        tolerations=[{"key": "runs", "operator": "Exists", "effect": "NoSchedule"}],
        worker_container=workerpools.WorkerContainerArgs(
            resources={"limits": {"memory": "2Gi"}},
        ),
    ),
    network_policy=workerpools.NetworkPolicyArgs(),
    wait_for_workers=workerpools.WaitForWorkersArgs(
        count=2,
        endpoint=config.require("endpoint"),
        worker_pool=config.require("pool"),
        api_key_id=config.require("apiKeyId"),
        api_key_secret=config.require_secret("apiKeySecret"),
    ),
)

pulumi.export("namespace", pool.namespace)
pulumi.export("how_to_look", pool.how_to_look)
