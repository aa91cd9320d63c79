#!/usr/bin/env bash
# Trains SliderGAN, what its paper compares it with, and its ablations, each for as many
# steps on the same faces (`:small` of their configs); then writes the report. Networks
# that judge and recognise are fetched. Started again, it goes on where it stopped.
#
#     launch/compare.sh DATA OUT            # DATA is of data_prep/render_faces.py, 64 px
#     JOBS=4 launch/compare.sh DATA OUT     # four at once, a core each; Linux
#     launch/compare.sh DATA OUT --pairs 100      # whatever evaluate.py takes
set -euo pipefail

if [ $# -lt 2 ]; then
    echo "Usage: launch/compare.sh DATA OUT [options of launch/evaluate.py]" >&2
    exit 2
fi
if [ ! -e "$1/dataset_info.json" ]; then
    echo "There is no data set in $1: make one with data_prep/render_faces.py --out=$1" >&2
    exit 2
fi
DATA=$(cd "$1" && pwd)
mkdir -p "$2/runs"
OUT=$(cd "$2" && pwd)
JOBS=${JOBS:-1}
export DATA OUT JOBS
RUNS=(
    slidergan:small
    ganimation:small,blendshapes
    ganimation:small
    slidergan:small,wgp
    slidergan:small,no_gen
    slidergan:small,no_id
    stargan:small
    slidergan:small,no_id_no_gen
    slidergan:small,speech
)

train() {
    local name=${1//[:,]/-} core=()
    [ "$JOBS" = 1 ] || core=(taskset -c "$SLOT")
    echo "$name: see $OUT/runs/$name.log"
    "${core[@]}" python launch/main.py --config="configs/${1/:/.py:}" \
        --config.data.folder="$DATA" --workdir="$OUT/runs/$name" \
        >>"$OUT/runs/$name.log" 2>&1 || { tail -n 1 "$OUT/runs/$name.log" >&2; exit 255; }
}
export -f train

ROOT=$(cd "$(dirname "$0")/.." && pwd)
names=("${RUNS[@]//[:,]/-}")
folders=$(printf ",%s" "${names[@]/#/$OUT/runs/}")
evaluate() {
    python "$ROOT/launch/evaluate.py" --suite=open_faces --runs="${folders:1}" \
        --data="$DATA" --out="$OUT/report" --fetch "$@"
}
evaluate "${@:3}" --check # before hours of training
(
    cd "$ROOT"
    printf '%s\n' "${RUNS[@]}" |
        if [ "$JOBS" = 1 ]; then xargs -I{} bash -c 'train {}'
        else xargs -P "$JOBS" --process-slot-var=SLOT -I{} bash -c 'train {}'; fi
)
evaluate "${@:3}"
