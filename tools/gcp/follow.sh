#!/usr/bin/env bash
# Shows the log of a tool on a TPU as it grows, until the tool ends or you press Ctrl-C; the tool
# continues then.
#
#   tools/gcp/follow.sh --name=NAME --zone=ZONE --project=PROJECT [--tool=train] [--dry_run]
#
# --tool     train, search, export or any other that run.sh has started
# --dry_run  prints the command and runs none
#
# Ends with the tool's exit code, so that `follow.sh … && search.sh …` goes on only after success.
set -euo pipefail
# shellcheck source=tools/gcp/lib.sh
source "$(dirname -- "${BASH_SOURCE[0]}")/lib.sh"

tool=train
parse_flags '' tool "$@"
[[ $tool =~ ^[a-z_]+$ && -f $root/tools/$tool.py ]] ||
  fail "--tool=$tool is unknown; name one such as train, search or export"

on_hosts 0 "bash bignas_tf/tools/gcp/host/follow.sh $tool" && ended=0 || ended=$?
remind_of_cost
exit "$ended"
