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
#SBATCH --open-mode=append
CONFIG=configs/slidergan.py:gpu DATA=/data/open_faces WORKDIR=/shared/runs/slidergan
# 120 seconds before the end all processes save and exit 75, and the job queues again. So
# it does when one of them was killed (128 + the signal), if it had saved anything since
# its start: where one node stumbles, the others are killed for waiting, each time anew.
# The others end by themselves: were they killed at once, that would hide the code of the
# first.
set -u
saved() { ls "$WORKDIR/checkpoints" 2>/dev/null | grep -x '[0-9]*'; } # whole ones
before=$(saved)
srun --cpus-per-task="$SLURM_CPUS_PER_TASK" --kill-on-bad-exit=0 --wait=120 \
    python launch/main.py --multihost --config="$CONFIG" \
    --config.data.folder="$DATA" --workdir="$WORKDIR"
code=$?
case "$code" in
    75) again=true ;;
    134 | 137 | 143) [ "$(saved)" != "$before" ] && again=true ;;
esac
if [ "${again:-}" ] && [ "${SLURM_RESTART_COUNT:-0}" -lt 100 ]; then
    scontrol requeue "$SLURM_JOB_ID"
fi
exit "$code"
