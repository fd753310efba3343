#!/usr/bin/env bash
# Deletes a TPU and what is on its disk, and so ends its cost; what is in the bucket stays.
#
#   tools/gcp/delete.sh --name=NAME --zone=ZONE --project=PROJECT [--force] [--dry_run]
#
# Refuses while a tool runs there, or exports there were not fetched, unless --force; a TPU that
# cannot be reached is deleted. --dry_run prints the commands and runs none.
set -euo pipefail
# shellcheck source=tools/gcp/lib.sh
source "$(dirname -- "${BASH_SOURCE[0]}")/lib.sh"

force=false
parse_flags '' force "$@"

if [[ $force == false ]]; then
  # Nothing of ours may be there yet, or an older code, and SSH may fail as well.
  lock=bignas_tf/tool.lock leave=bignas_tf/tools/gcp/host/leave.sh
  look="[ ! -e $lock ] || flock --nonblock $lock true || echo 'busy: a tool is running'"
  said=$(on_hosts 0 "$look; [ ! -e $leave ] || bash $leave" || true)
  if [[ $said == *busy:* ]]; then
    printf '%s\n' "$said" >&2
    fail "$name is not deleted; see above, or give --force"
  fi
fi
tpus queued-resources delete "$name" --force --quiet
