#!/usr/bin/env bash
# Trains on several nodes of GPUs: sbatch launch/slurm.sh, in the repository. Edit here:
#SBATCH --job-name=slider
#SBATCH --nodes=2
#SBATCH --ntasks-per-node=1
#SBATCH --gpus-per-node=8
#SBATCH --cpus-per-task=32
#SBATCH --time=24:00:00
#SBATCH --signal=TERM@120
#SBATCH --requeue
CONFIG=configs/slidergan.py:gpu DATA=/data/open_faces WORKDIR=/shared/runs/slidergan
# 120 seconds before the end all processes save and exit 75, and the job queues again.
set -u
srun python launch/main.py --multihost --config="$CONFIG" \
    --config.data.folder="$DATA" --workdir="$WORKDIR"
code=$?
if [ "$code" = 75 ]; then scontrol requeue "$SLURM_JOB_ID"; fi
exit "$code"
