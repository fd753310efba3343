#!/usr/bin/env bash
# Shows the log of the training run on a TPU as it grows, until Ctrl-C; the run continues.
#
#   tools/gcp/follow.sh --name=NAME --zone=ZONE --project=PROJECT [--dry_run]
#
# --dry_run prints the command and runs none.
set -euo pipefail
# shellcheck source=tools/gcp/lib.sh
source "$(dirname -- "${BASH_SOURCE[0]}")/lib.sh"

parse_flags '' '' "$@"

on_hosts 0 'tail --lines=100 --follow=name --retry bignas_tf/train.log'
