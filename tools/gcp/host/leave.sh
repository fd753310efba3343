#!/usr/bin/env bash
# On the first host: prints a line that begins with "busy: " for each thing that would be lost with
# the TPU: a tool that runs, and exports that fetch.sh has not copied.
set -euo pipefail
# shellcheck source=tools/gcp/host/lib.sh
source "$(dirname -- "${BASH_SOURCE[0]}")/lib.sh"

if running tool; then
  echo "busy: $(< tool.name) is running"
fi
for config in runs/*/models.config; do
  folder=${config%/*}
  if [[ -f $config && ! $folder/.fetched -nt $config ]]; then
    echo "busy: the exports in $folder were not fetched"
  fi
done
