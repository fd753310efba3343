#!/usr/bin/env bash
# Brings a run back after a preemption, or wherever it stopped: requests the TPU again if it was
# preempted, installs, and starts the same training run, which resumes from its last checkpoint.
#
#   tools/gcp/resume.sh --name=NAME --zone=ZONE --project=PROJECT --accelerator=v3-8 \
#       --model_dir=gs://BUCKET/RUN [the other flags of create.sh and start.sh] \
#       [--watch] [--dry_run]
#
# Give it what create.sh and start.sh were given: without --spot the TPU is requested on demand. A
# run under way is left alone (exit 1). --dry_run prints the commands of a TPU that was taken away
# and runs none.
#
# --watch  looks every 5 minutes and brings the run back as often as it must, until the training
#          has ended; then its exit code is 0, or 1 if the training failed or stop.sh ended it.
#          The TPU is left as it is, and costs.
set -euo pipefail
# shellcheck source=tools/gcp/lib.sh
source "$(dirname -- "${BASH_SOURCE[0]}")/lib.sh"

# shellcheck disable=SC2034 # read by name
accelerator='' spot=false runtime_version='' network='' subnetwork='' service_account='' \
  model_dir='' experiment='' config_file='' params_override='' repeatable=config_file \
  watch=false force=true
requests='spot runtime_version network subnetwork service_account'
starts='experiment config_file params_override'
parse_flags 'accelerator model_dir' "$requests $starts watch" "$@"
# Before anything is deleted and requested again.
check_accelerator
image_of "$accelerator" > /dev/null
in_bucket model_dir
check_config_files

# step SCRIPT FLAG...: runs another script of this folder with those of these flags that are set.
step() {
  local script=$1
  shift
  flags_of name zone project dry_run "$@"
  bash "$root/tools/gcp/$script" "${flags[@]}"
}

# Ends with the exit code of the first step that fails; it must not count on `set -e`, which does
# nothing within a condition.
# shellcheck disable=SC2086 # several flags
bring_back() {
  local now code=0
  now=$(state) || return
  while [[ $now == SUSPENDING || $now == DELETING ]]; do
    sleep 30
    now=$(state) || return
  done
  if [[ $now == SUSPENDED || $now == FAILED || $dry_run == true ]]; then
    step delete.sh force || return
  fi
  step create.sh accelerator $requests || return
  { step install.sh && step start.sh accelerator model_dir $starts; } || code=$?
  ((code == 0)) || remind_of_cost
  return "$code"
}

# What became of the training: a word of host/state.sh, `gone` without a TPU, nothing if unknown.
look() {
  local now said
  now=$(state) || return 0
  if [[ $now != ACTIVE ]]; then
    echo gone
  elif said=$(on_hosts 0 'bash bignas_tf/tools/gcp/host/state.sh train'); then
    sed -n 's/^state: \([a-z]*\).*/\1/p' <<< "$said"
  fi
}

# Its own errors, such as a network that is down for a while, are looked at again the next time.
watch() {
  local became
  while true; do
    became=$(look)
    case $became in
      gone | lost) bring_back || echo "that failed; trying again in 5 minutes" >&2 ;;
      finished | failed | stopped)
        echo "the training: $became; tools/gcp/follow.sh shows its log" >&2
        remind_of_cost
        [[ $became == finished ]]
        return
        ;;
    esac
    sleep 300
  done
}

if [[ $watch == true && $dry_run == false ]]; then
  watch
else
  bring_back
fi
