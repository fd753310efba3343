#!/usr/bin/env bash
# Brings a run back after a preemption, or wherever it stopped: requests the TPU again if it was
# preempted, installs, and starts the same training run, which resumes from its last checkpoint.
#
#   tools/gcp/resume.sh --name=NAME --zone=ZONE --project=PROJECT --accelerator=v3-8 \
#       --model_dir=gs://BUCKET/RUN [the other flags of create.sh and start.sh] [--dry_run]
#
# Give it what create.sh and start.sh were given. A run under way is left alone (exit 1).
# --dry_run prints the commands of a TPU that was taken away and runs none.
set -euo pipefail
# shellcheck source=tools/gcp/lib.sh
source "$(dirname -- "${BASH_SOURCE[0]}")/lib.sh"

# shellcheck disable=SC2034 # read by name
accelerator='' spot=false runtime_version='' \
  model_dir='' experiment='' config_file='' params_override='' repeatable=config_file
parse_flags 'accelerator model_dir' \
  'spot runtime_version experiment config_file params_override' "$@"

# step SCRIPT FLAG...: runs another script of this folder with those of these flags that are set.
step() {
  local script=$1
  shift
  flags_of name zone project dry_run "$@"
  bash "$root/tools/gcp/$script" "${flags[@]}"
}

now=$(state)
while [[ $now == SUSPENDING || $now == DELETING ]]; do
  sleep 30
  now=$(state)
done
if [[ $now == SUSPENDED || $now == FAILED || $dry_run == true ]]; then
  step delete.sh
fi
step create.sh accelerator spot runtime_version
step install.sh
step start.sh accelerator model_dir experiment config_file params_override
