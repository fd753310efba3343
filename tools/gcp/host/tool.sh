#!/usr/bin/env bash
# Started by run.sh: tool.sh TOOL FLAG... runs a tool, and leaves what became of it in TOOL.end, as
# a word of state.sh and its exit code, and the code in its log, too. What is killed as a whole, or
# goes with its host, leaves neither.
set -euo pipefail
tool=$1
shift
trap : TERM # the tool gets it, too, and is waited for
from=$(stat --format=%s "$tool.log") # older runs have added to it
code=0
.venv/bin/python -m "tools.$tool" "$@" || code=$?

# What the same command continues: a preemption may also end with another host.
interrupted='error: (stopped by SIGTERM|another worker was lost)'
if ((code == 0)); then
  word=finished
elif [[ -f $tool.stopped ]]; then
  word=stopped
elif ((code > 128)) || tail --bytes="+$((from + 1))" "$tool.log" | grep -E "$interrupted" > /dev/null; then
  word=lost
else
  word=failed
fi
printf '%s %s\n' "$word" "$code" > "$tool.end.part" && mv "$tool.end.part" "$tool.end"
printf '%s ended: exit code %s\n' "$tool" "$code"
