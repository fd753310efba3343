#!/usr/bin/env bash
# Scores the extremes and random children of a trained run on a TPU, at every resolution.
#
#   tools/gcp/judge.sh --name=NAME --zone=ZONE --project=PROJECT --accelerator=v3-8 \
#       --model_dir=gs://BUCKET/RUN [--images=10000] [--dry_run]
#
# It continues when this command has ended; follow.sh --tool=judge shows it. --accelerator is the one
# given to create.sh. --images is how many images of the split score each child; all if unset.
set -euo pipefail
# shellcheck source=tools/gcp/lib.sh
source "$(dirname -- "${BASH_SOURCE[0]}")/lib.sh"

# shellcheck disable=SC2034 # read by name
accelerator='' model_dir='' images=''
parse_flags 'accelerator model_dir' 'images' "$@"
check_accelerator
in_bucket model_dir

drive_chips
flags_of model_dir images
start_on_host judge --tpu="$address" "${flags[@]}"
