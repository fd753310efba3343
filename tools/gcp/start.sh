#!/usr/bin/env bash
# Starts a training run on a TPU, from the latest checkpoint in --model_dir if there is one.
#
#   tools/gcp/start.sh --name=NAME --zone=ZONE --project=PROJECT --accelerator=v3-8 \
#       --model_dir=gs://BUCKET/RUN [--experiment=bignas_imagenet] \
#       [--config_file=experiments/imagenet_tpu.yaml] [--params_override=...] [--dry_run]
#
# The run continues when this command has ended; follow.sh shows it. --accelerator is the one given
# to create.sh. --config_file is in experiments/ as it was when install.sh ran, or in a bucket; give
# it several times for files of which the later ones win. --dry_run prints the commands and runs
# none.
set -euo pipefail
# shellcheck source=tools/gcp/lib.sh
source "$(dirname -- "${BASH_SOURCE[0]}")/lib.sh"

# shellcheck disable=SC2034 # read by name
accelerator='' model_dir='' params_override='' config_file='' experiment=bignas_imagenet \
  repeatable=config_file
parse_flags 'accelerator model_dir' 'experiment config_file params_override' "$@"
check_accelerator
in_bucket model_dir
model_dir=${model_dir%/} # by which resume.sh knows a run on the host
check_config_files
: "${config_file:=experiments/imagenet_tpu.yaml}"

drive_chips
flags_of experiment config_file model_dir params_override
start_on_host train --tpu="$address" "${flags[@]}"
