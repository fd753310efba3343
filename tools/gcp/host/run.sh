#!/usr/bin/env bash
# On the first host: starts a tool with these flags in the background; see its log, such as train.log.
#
#   run.sh TOOL FLAG...
#
# One at a time, because a program that drives chips has them to itself. Which chips a tool may use
# is what its --tpu says; a tool without that flag runs on the CPU. Waits $EARLY_S seconds, 30 if
# unset: most mistakes end a tool at once.
set -euo pipefail
# shellcheck source=tools/gcp/host/lib.sh
source "$(dirname -- "${BASH_SOURCE[0]}")/lib.sh"

tool=$1
shift
if running tool; then
  other=$(< tool.name)
  echo "error: a tool is running here: $other; tools/gcp/follow.sh --tool=$other shows it" >&2
  exit 1
fi
if [[ " $* " == *" --tpu=local "* ]]; then
  drive_chips
else
  export TPU_LOAD_LIBRARY=0 # the servers of a slice drive the chips, or nobody
fi
tell_tensorflow
hold tool
printf '%s\n' "$tool" > tool.name
printf '%s\n' "$@" > "$tool.args"
sed -n 's/^--output_dir=//p' "$tool.args" | while IFS= read -r folder; do
  [[ $folder == *://* ]] || realpath --canonicalize-missing -- "$folder"
done >> outputs # for leave.sh
rm -f "$tool.end" "$tool.stopped"
in_background tool "$tool.log" bash tools/gcp/host/tool.sh "$tool" "$@"
exec {held}>&- # or this shell would be waited for below
if wait_for tool "${EARLY_S:-30}"; then
  tail --lines=20 "$tool.log" >&2
  exit "$(code_of "$tool")"
fi
