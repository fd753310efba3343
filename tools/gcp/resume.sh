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
model_dir=${model_dir%/} # by which a run is known on the host
check_config_files

# step SCRIPT FLAG...: runs another script of this folder with those of these flags that are set.
step() {
  local script=$1
  shift
  flags_of name zone project dry_run "$@"
  bash "$root/tools/gcp/$script" "${flags[@]}"
}

# Ends with the exit code of the first step that fails; it must not count on `set -e`, which does
# nothing within a condition. `reached` is the step that it has got to. Where nothing is requested
# it makes a request only if `may_request`: at first, and after a deletion of its own.
may_request=true
# shellcheck disable=SC2086 # several flags
bring_back() {
  local now code=0
  reached=state
  now=$(state) || return
  while [[ $now == SUSPENDING || ($now == DELETING && $may_request == true) ]]; do
    sleep 30
    now=$(state) || return
  done
  if [[ $now == SUSPENDED || $now == FAILED || $dry_run == true ]]; then
    step delete.sh force || return
    may_request=true
  fi
  [[ $may_request == true || ($now != DELETING && -n $now) ]] || return "$gone"
  reached=create
  step create.sh accelerator $requests || return
  may_request=false
  reached=install
  { step install.sh && reached=start && step start.sh accelerator model_dir $starts; } || code=$?
  ((code == 0)) || remind_of_cost
  return "$code"
}

# What became of the training: a word of host/state.sh, `taken` where the TPU was taken away,
# `deleted` where there is no request any more, `unknown` where nothing can be asked.
look() {
  local now said='' script=bignas_tf/tools/gcp/host/state.sh flag
  flag=$(words "--model_dir=$model_dir")
  now=$(state) || now=unreachable
  case $now in
    '' | DELETING) echo deleted ;;
    unreachable) echo unknown ;;
    ACTIVE)
      # Nothing may be installed there.
      said=$(on_hosts 0 "if [ -e $script ]; then bash $script train $flag; else echo state: lost; fi") ||
        true
      said=$(sed -n 's/^state: \([a-z]*\).*/\1/p' <<< "$said")
      echo "${said:-unknown}"
      ;;
    *) echo taken ;;
  esac
}

# finish MESSAGE CODE: ends the watch.
finish() {
  printf '%s\n' "$1" >&2
  remind_of_cost
  exit "$2"
}

# Failures of its own, such as a network that is down for a while, are tried again; mistakes, and
# what the training itself failed with, are not. What was before it began to watch does not count
# (`first`). A training that is lost again and again, on a TPU that stays, is not brought back.
watch() {
  local became code first=true losses=0 steady=0
  while true; do
    became=$(look)
    case $became in
      unknown) echo "$name cannot be asked; looking again in 5 minutes" >&2 ;;
      busy) finish "another training is running on $name" 1 ;;
      deleted) [[ $may_request == true ]] || fail "$name was deleted; the training has not ended" 1 ;;
      taken) losses=0 ;;
      lost) losses=$((losses + 1)) ;;
      finished) [[ $first == true ]] || finish "the training has finished" 0 ;;
      failed | stopped) [[ $first == true ]] || finish "the training: $became; see follow.sh" 1 ;;
    esac
    if [[ $became == running ]]; then
      first=false may_request=false steady=$((steady + 1))
      ((steady < 12)) || losses=0 # an hour
    elif [[ $became != unknown ]]; then
      ((losses <= 3)) || finish "the training was lost $losses times on a TPU that stayed" 1
      steady=0 code=0
      bring_back || code=$?
      [[ $reached != start ]] || first=false
      ((code != gone)) || fail "$name was deleted; the training has not ended" 1
      [[ $code != 2 || $reached == install ]] || exit 2 # where packages are not found, too
      ((code == 0)) || echo "that failed; looking again in 5 minutes" >&2
    fi
    sleep 300
  done
}

if [[ $watch == true && $dry_run == false ]]; then
  watch
else
  bring_back
fi
