"""A worker pool on Google Cloud, from Python.

npm install && pulumi install      # the second makes the Python package from the components' schema
pulumi config set --secret token "$(cat pool.token)"
pulumi config set --secret privateKey < pool.key
pulumi config set gcp:project my-project
"""

import pulumi
import poolwright_workerpools as workerpools

config = pulumi.Config()

pool = workerpools.MigWorkerPool(
    "builds",
    token=config.require_secret("token"),
    private_key=config.require_secret("privateKey"),
    region=config.get("region") or "europe-west4",
    size=workerpools.PoolSizeArgs(min=1, max=5),
    spot=True,
    tags={"team": "platform"},
    launcher=workerpools.LauncherArgs(
        run_timeout="1h30m",
        mask_envs=["API_KEY"],
        metadata={"team": "platform"},
    ),
    google=workerpools.MigNativeArgs(zones=["europe-west4-a", "europe-west4-b"]),
)

pulumi.export("group", pool.group_id)
pulumi.export("how_to_look", pool.how_to_look)
