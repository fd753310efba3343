#!/usr/bin/env bash
# On the first host: exported.sh FOLDER fails unless the folder has exports and none is being added.
set -euo pipefail
# shellcheck source=tools/gcp/host/lib.sh
source "$(dirname -- "${BASH_SOURCE[0]}")/lib.sh"

if running tool; then
  tool=$(< tool.name)
  if [[ " train search judge evaluate " != *" $tool "* ]]; then # those write no exports
    echo "error: $tool is running; tools/gcp/follow.sh --tool=$tool shows it" >&2
    exit 1
  fi
fi
if [[ ! -f $1/models.config ]]; then
  echo "error: $1 has no finished export; tools/gcp/follow.sh --tool=export says why" >&2
  exit 1
fi
touch "$1/.fetching" # what comes later is not in the copy
