#!/usr/bin/env bash
# Requests a TPU VM or a slice, unless it was requested before, and waits until it is there.
#
#   tools/gcp/create.sh --name=NAME --zone=ZONE --project=PROJECT --accelerator=v3-8 \
#       [--spot] [--runtime_version=VERSION] [--dry_run]
#
# --accelerator      v2-8, v3-8, v4-8, v5p-8, v5litepod-8, v6e-8, ...; a greater number is a slice
# --spot             cheaper, and may be taken away at any time; see resume.sh
# --runtime_version  the image of the hosts; by default the plain one of the accelerator
# --dry_run          prints the commands and runs none
set -euo pipefail
# shellcheck source=tools/gcp/lib.sh
source "$(dirname -- "${BASH_SOURCE[0]}")/lib.sh"

accelerator='' spot=false runtime_version=''
parse_flags accelerator 'spot runtime_version' "$@"

check_accelerator
case $accelerator in
  v2-* | v3-* | v4-*) image=tpu-ubuntu2204-base ;;
  v5p-*) image=v2-alpha-tpuv5 ;;
  v5litepod-*) image=v2-alpha-tpuv5-lite ;;
  v6e-1 | v6e-4 | v6e-8) image=v2-alpha-tpuv6e ;;
  v6e-*) fail "--accelerator=$accelerator: TensorFlow's server knows no slices of v6e; up to v6e-8" ;;
  *) fail "--accelerator=$accelerator is unknown; write v2-8, v3-32, v4-8, v5p-8, v5litepod-8, ..." ;;
esac

remind() {
  printf '%s may still be granted, and costs from then on; %s withdraws it\n' "$name" \
    "tools/gcp/delete.sh $(words --name="$name" --zone="$zone" --project="$project")" >&2
}

now=$(state)
[[ $dry_run == true ]] || trap remind EXIT
if [[ -z $now ]]; then
  request=(--node-id="$name" --accelerator-type="$accelerator")
  request+=(--runtime-version="${runtime_version:-$image}")
  [[ $spot == false ]] || request+=(--spot)
  tpus queued-resources create "$name" "${request[@]}"
else
  there=$(of_request 'tpu.nodeSpec[0].node.acceleratorType')
  if [[ -n $there && $there != "$accelerator" ]]; then
    trap - EXIT
    fail "$name is a $there already; give --accelerator=$there, or another --name"
  fi
  if [[ $spot == true || -n $runtime_version ]]; then
    echo "$name was requested before: --spot and --runtime_version change nothing of it" >&2
  fi
fi

now=$(state)
while [[ $now != ACTIVE && $dry_run == false ]]; do
  case $now in
    CREATING | ACCEPTED | WAITING_FOR_RESOURCES | PROVISIONING) ;;
    *)
      trap - EXIT
      fail "$name is ${now:-gone}; tools/gcp/resume.sh requests it again" 1
      ;;
  esac
  printf '%s: %s\n' "$name" "$now" >&2
  sleep 30
  now=$(state)
done
trap - EXIT
