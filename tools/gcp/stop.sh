#!/usr/bin/env bash
# Stops the tool that runs on a TPU; a training saves a checkpoint first, from which start.sh
# resumes. The TPU stays, and costs, until delete.sh.
#
#   tools/gcp/stop.sh --name=NAME --zone=ZONE --project=PROJECT [--dry_run]
#
# --dry_run prints the command and runs none.
set -euo pipefail
# shellcheck source=tools/gcp/lib.sh
source "$(dirname -- "${BASH_SOURCE[0]}")/lib.sh"

parse_flags '' '' "$@"

on_hosts 0 'bash bignas_tf/tools/gcp/host/stop.sh'
remind_of_cost
