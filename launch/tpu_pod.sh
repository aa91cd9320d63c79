#!/usr/bin/env bash
# Trains on every host of a TPU pod slice. Run it where `gcloud` is signed in; edit here:
TPU=my-slice ZONE=us-central2-b REPOSITORY=slider_jax
CONFIG=configs/slidergan.py:gpu DATA=/mnt/faces WORKDIR=/mnt/runs/slidergan  # shared
# The code lies in ~/$REPOSITORY on every host, installed with pip install -e '.[tpu]'.
# A preempted run goes on where it stood when this is run again.
set -eu
command="cd $REPOSITORY && python launch/main.py --multihost --config=$CONFIG \
--config.data.folder=$DATA --workdir=$WORKDIR"
if [ "${DRY_RUN:-}" ]; then echo "$command"; exit; fi
gcloud compute tpus tpu-vm ssh "$TPU" --zone="$ZONE" --worker=all --command="$command"
