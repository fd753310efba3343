#!/usr/bin/env bash
# On the first host: starts tools.train with these flags in the background; see train.log.
set -euo pipefail
# shellcheck source=tools/gcp/host/lib.sh
source "$(dirname -- "${BASH_SOURCE[0]}")/lib.sh"

if running train; then
  echo "error: a training run is under way here; tools/gcp/follow.sh shows it" >&2
  exit 1
fi
if [[ " $* " == *" --tpu=local "* ]]; then
  drive_chips
else
  export TPU_LOAD_LIBRARY=0 # the servers drive the chips, this host's among them
fi
in_background train .venv/bin/python -m tools.train "$@"
