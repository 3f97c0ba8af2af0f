#!/bin/bash
# Replica exchange over several nodes: one process a task, each with walks in energy windows of its own.
#
#   sbatch examples/slurm/dos_mpi.sh
#
# mpi4py has to be built for the MPI of the machine: pip install --no-binary mpi4py mpi4py, with its modules loaded.
# The result does not depend on the number of processes. Submitted again after the time limit, it goes on (--resume).
# There have to be at least as many walks (runs x windows) as processes; more windows than some 5 to 20 per process
# spend their time on exchanges: see examples/12_many_nodes.py.
#SBATCH --job-name=dos
#SBATCH --account=ACCOUNT
#SBATCH --partition=PARTITION
#SBATCH --nodes=4
#SBATCH --ntasks-per-node=32
#SBATCH --cpus-per-task=1
#SBATCH --time=04:00:00
# With an oracle that walks on an accelerator, one process and one GPU each instead of the three lines above:
##SBATCH --ntasks-per-node=4
##SBATCH --cpus-per-task=16
##SBATCH --gpus-per-task=1
set -euo pipefail

source .venv/bin/activate
export OMP_NUM_THREADS=${SLURM_CPUS_PER_TASK:-1}
resume=()
if [[ -e runs/cuau-2048.h5.checkpoint ]]; then resume=(--resume); fi
mkdir -p runs

srun --mpi=pmix --cpu-bind=cores wanglandau dos cuau --repeat 8 8 8 --oracle surrogate \
    --runs 4 --windows 32 --max-walltime 13500 --out runs/cuau-2048.h5 "${resume[@]}"
