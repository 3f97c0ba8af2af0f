#!/bin/bash
# Sampling with LSMS energies: the sampler is one process with threads, every LSMS run a job step with ranks of its own.
#
#   sbatch examples/slurm/lsms_apart.sh
#
# The two never share an MPI world: the sampler is started without srun and so sees one process, and the bridge starts
# each run by what stands under [launcher] in examples/slurm/lsms.toml, an srun that waits for free cores of this
# allocation (--exact). One node keeps cores for the sampler; workers x ranks of LSMS fill the rest.
#SBATCH --job-name=dos-lsms
#SBATCH --account=ACCOUNT
#SBATCH --partition=PARTITION
#SBATCH --nodes=4
#SBATCH --ntasks-per-node=32
#SBATCH --cpus-per-task=1
#SBATCH --time=12:00:00
set -euo pipefail

source .venv/bin/activate
unset SLURM_CPU_BIND  # or the steps would be bound as the batch script is
export OMP_NUM_THREADS=4  # of the sampler
mkdir -p runs

# the surrogate proposes, LSMS decides: an LSMS energy takes minutes
wanglandau metropolis cuau --temperatures 600 800 --oracle lsms:examples/slurm/lsms.toml \
    --proposal-oracle surrogate --threads 4 --out runs/cuau-lsms.h5
