#!/usr/bin/env bash
# On the first host: follow.sh TOOL shows a tool's log until the tool ends, and ends with its exit
# code.
set -euo pipefail
# shellcheck source=tools/gcp/host/lib.sh
source "$(dirname -- "${BASH_SOURCE[0]}")/lib.sh"

tool=$1
if [[ ! -f $tool.log ]]; then
  echo "error: $tool has not been started on this host, or by another user ($(id -un) is this one)" >&2
  exit 1
fi
until_its_end=()
if running tool && [[ $(< tool.name) == "$tool" ]]; then
  until_its_end=(--follow=name --retry --pid="$(< tool.pid)")
fi
tail --lines=100 "${until_its_end[@]}" "$tool.log"
if [[ ! -f $tool.end ]]; then
  echo "$tool has left no exit code: it was killed, or the host was"
fi
exit "$(code_of "$tool")"
