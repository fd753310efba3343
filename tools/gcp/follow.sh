#!/usr/bin/env bash
# Shows the log of a tool on a TPU as it grows, until Ctrl-C; the tool continues.
#
#   tools/gcp/follow.sh --name=NAME --zone=ZONE --project=PROJECT [--tool=train] [--dry_run]
#
# --tool     train, search, export or any other that run.sh has started
# --dry_run  prints the command and runs none
set -euo pipefail
# shellcheck source=tools/gcp/lib.sh
source "$(dirname -- "${BASH_SOURCE[0]}")/lib.sh"

tool=train
parse_flags '' tool "$@"
[[ $tool =~ ^[a-z_]+$ && -f $root/tools/$tool.py ]] ||
  fail "--tool=$tool is unknown; name one such as train, search or export"

on_hosts 0 "tail --lines=100 --follow=name --retry bignas_tf/$tool.log"
