#!/usr/bin/env bash
# Shows the log of a tool on a TPU as it grows, until Ctrl-C; the tool continues.
#
#   tools/gcp/follow.sh --name=NAME --zone=ZONE --project=PROJECT [--tool=train] [--dry_run]
#
# --tool     train, search, export, judge or evaluate
# --dry_run  prints the command and runs none
set -euo pipefail
# shellcheck source=tools/gcp/lib.sh
source "$(dirname -- "${BASH_SOURCE[0]}")/lib.sh"

tool=train
parse_flags '' tool "$@"
[[ " train search export judge evaluate " == *" $tool "* ]] ||
  fail "--tool=$tool is unknown; there are train search export judge evaluate"

on_hosts 0 "tail --lines=100 --follow=name --retry bignas_tf/$tool.log"
