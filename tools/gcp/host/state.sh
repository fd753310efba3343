#!/usr/bin/env bash
# On the first host: state.sh TOOL prints "state: " and one word of what became of it: `running`,
# `finished`, `failed`, `stopped` (by stop.sh), or `lost`: killed, ended by SIGTERM, or never started.
set -euo pipefail
# shellcheck source=tools/gcp/host/lib.sh
source "$(dirname -- "${BASH_SOURCE[0]}")/lib.sh"

tool=$1
word=failed
if running tool; then
  word=running
elif [[ -f stopped ]]; then
  word=stopped
elif [[ ! -f $tool.code ]] || tail --lines=5 "$tool.log" | grep --quiet 'stopped by SIGTERM'; then
  word=lost
elif [[ $(< "$tool.code") == 0 ]]; then
  word=finished
fi
echo "state: $word"
