"""A Parsl configuration for a cluster with Slurm: campaigns of LSMS runs over several nodes.

Use it, after changing account, partition and times, as

    lsms-bridge campaign cuau --lsms lsms.toml --count 500 --executor parsl:examples/lsms/parsl_slurm.py

with ``workers`` in lsms.toml at least blocks x nodes x runs at a time. The campaign itself stays on the login node (or
in a small job of its own); workers and LSMS run in blocks that Parsl asks of Slurm, and all see one file system.
"""

from parsl.config import Config
from parsl.executors import HighThroughputExecutor
from parsl.launchers import SrunLauncher
from parsl.providers import SlurmProvider

RUNS_AT_A_TIME = 4
"""LSMS runs on one node; with mpi = ["srun", "--exact", "-n", "32", "-c", "1"] each takes 32 of 128 cores."""

config = Config(
    executors=[
        HighThroughputExecutor(
            label="lsms",
            max_workers_per_node=RUNS_AT_A_TIME,
            provider=SlurmProvider(
                account="ACCOUNT",
                partition="PARTITION",
                nodes_per_block=8,
                init_blocks=1,
                min_blocks=0,
                max_blocks=4,
                walltime="06:00:00",
                exclusive=True,
                scheduler_options="#SBATCH --signal=TERM@120",  # runs in flight end cleanly before the limit
                worker_init="source .venv/bin/activate",
                launcher=SrunLauncher(overrides="--ntasks-per-node=1 --cpus-per-task=128"),
            ),
        )
    ],
    retries=0,  # the campaign itself tries again, and knows when it is worth it
    strategy="simple",
)
