#!/usr/bin/env bash
# Requests a TPU VM or a slice, unless it was requested before, and waits until it is there.
#
#   tools/gcp/create.sh --name=NAME --zone=ZONE --project=PROJECT --accelerator=v3-8 \
#       [--spot] [--runtime_version=VERSION] [--network=...] [--subnetwork=...] \
#       [--service_account=...] [--dry_run]
#
# --accelerator      v2-8, v3-8, v4-8, v5p-8, v5litepod-8, v6e-8, ...; a greater number is a slice
# --spot             cheaper, and may be taken away at any time; see resume.sh
# --runtime_version  the image of the hosts; by default the plain one of the accelerator
# --network, --subnetwork, --service_account  as gcloud takes them; the project's own by default
# --dry_run          prints the commands and runs none
set -euo pipefail
# shellcheck source=tools/gcp/lib.sh
source "$(dirname -- "${BASH_SOURCE[0]}")/lib.sh"

# shellcheck disable=SC2034 # read by name
accelerator='' spot=false runtime_version='' network='' subnetwork='' service_account=''
parse_flags accelerator 'spot runtime_version network subnetwork service_account' "$@"

check_accelerator
image=$(image_of "$accelerator")

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
  [[ $spot == true || $dry_run == true ]] ||
    echo "requesting a $accelerator on demand; --spot asks for a cheaper one" >&2
  for flag in network subnetwork service_account; do
    [[ -z ${!flag} ]] || request+=("--${flag//_/-}=${!flag}")
  done
  if ! tpus queued-resources create "$name" "${request[@]}"; then
    # Refused: there is nothing that might be granted.
    if now=$(state) && [[ -z $now ]]; then trap - EXIT; fi
    exit 1
  fi
else
  trap - EXIT
  check_there
  trap remind EXIT
  echo "$name was requested before, and is $now; who uses it is not known" >&2
  if [[ $spot == true || -n $runtime_version$network$subnetwork$service_account ]]; then
    echo "--accelerator apart, the flags of this request change nothing of it" >&2
  fi
fi

now=$(state)
while [[ $now != ACTIVE && $dry_run == false ]]; do
  case $now in
    CREATING | ACCEPTED | WAITING_FOR_RESOURCES | PROVISIONING) ;;
    *)
      trap - EXIT
      [[ -n $now && $now != DELETING ]] || fail "$name is gone: somebody has deleted it" "$gone"
      tpus queued-resources describe "$name" --format='yaml(state)' >&2 || true
      fail "$name is $now; tools/gcp/resume.sh requests it again" 1
      ;;
  esac
  printf '%s: %s\n' "$name" "$now" >&2
  sleep 30
  now=$(state)
done
trap - EXIT
remind_of_cost
