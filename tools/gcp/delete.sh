#!/usr/bin/env bash
# Deletes a TPU and what is on its disk, and so ends its cost; what is in the bucket stays.
#
#   tools/gcp/delete.sh --name=NAME --zone=ZONE --project=PROJECT [--dry_run]
#
# --dry_run prints the command and runs none.
set -euo pipefail
# shellcheck source=tools/gcp/lib.sh
source "$(dirname -- "${BASH_SOURCE[0]}")/lib.sh"

parse_flags '' '' "$@"

tpus queued-resources delete "$name" --force --quiet
