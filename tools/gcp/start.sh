#!/usr/bin/env bash
# Starts a training run on a TPU, from the latest checkpoint in --model_dir if there is one.
#
#   tools/gcp/start.sh --name=NAME --zone=ZONE --project=PROJECT --accelerator=v3-8 \
#       --model_dir=gs://BUCKET/RUN [--experiment=bignas_imagenet] \
#       [--config_file=experiments/imagenet_tpu.yaml] [--params_override=...] [--dry_run]
#
# The run continues when this command has ended; follow.sh shows it. --accelerator is the one given
# to create.sh. --config_file is in experiments/ as it was when install.sh ran, or in a bucket.
# --dry_run prints the commands and runs none.
set -euo pipefail
# shellcheck source=tools/gcp/lib.sh
source "$(dirname -- "${BASH_SOURCE[0]}")/lib.sh"

accelerator='' model_dir='' params_override=''
experiment=bignas_imagenet config_file=experiments/imagenet_tpu.yaml
parse_flags 'accelerator model_dir' 'experiment config_file params_override' "$@"
[[ $accelerator =~ ^[a-z0-9]+-[0-9]+$ ]] || fail "--accelerator=$accelerator is not like v3-8"
[[ $model_dir == gs://* ]] ||
  fail "--model_dir=$model_dir would go with the TPU; name a folder in a bucket, gs://BUCKET/RUN"

# Up to 8 cores (v2 to v5p) or chips (v5e, v6e) belong to one host. In a slice every host serves its
# chips, and the first host alone runs the program, which finds the servers by the TPU's name.
if ((${accelerator##*-} > 8)); then
  on_hosts all 'bash bignas_tf/tools/gcp/host/serve.sh'
  tpu=$name
else
  tpu=local
fi
training=(--tpu="$tpu" --experiment="$experiment" --config_file="$config_file")
training+=(--model_dir="$model_dir")
[[ -z $params_override ]] || training+=(--params_override="$params_override")
on_hosts 0 "bash bignas_tf/tools/gcp/host/train.sh $(words "${training[@]}")"
