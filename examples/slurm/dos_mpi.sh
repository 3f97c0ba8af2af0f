#!/bin/bash
# Replica exchange over several nodes: one process a task, each with walks in energy windows of its own.
#
#   sbatch examples/slurm/dos_mpi.sh
#
# mpi4py has to be built for the MPI of the machine: pip install --no-binary mpi4py mpi4py, with its modules loaded.
# The result does not depend on the number of processes, of which there can be at most as many as walks (runs x windows).
# How far more of them help is what examples/12_many_nodes.py measures and models.
#SBATCH --job-name=dos
#SBATCH --account=ACCOUNT
#SBATCH --partition=PARTITION
#SBATCH --nodes=4
#SBATCH --ntasks-per-node=32
#SBATCH --cpus-per-task=1
#SBATCH --time=04:00:00
# Where energies come from an accelerator, one process for each GPU instead (and fewer windows):
##SBATCH --ntasks-per-node=4
##SBATCH --cpus-per-task=16
##SBATCH --gpus-per-task=1
set -euo pipefail

source .venv/bin/activate
export OMP_NUM_THREADS=${SLURM_CPUS_PER_TASK:-1}
mkdir -p runs

# 4 runs x 32 windows: one walk for each of 128 processes
srun --mpi=pmix --cpu-bind=cores wanglandau dos cuau --repeat 8 8 8 --oracle surrogate \
    --runs 4 --windows 32 --max-trials 20000000000 --out runs/cuau-2048.h5
