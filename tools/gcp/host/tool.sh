#!/usr/bin/env bash
# Started by run.sh: tool.sh TOOL FLAG... runs a tool, and leaves how it ended in TOOL.code and in
# its log, where follow.sh and resume.sh read it. What is killed as a whole leaves neither.
set -euo pipefail
tool=$1
shift
trap : TERM # the tool gets it, too, and is waited for
code=0
.venv/bin/python -m "tools.$tool" "$@" || code=$?
printf '%s\n' "$code" > "$tool.code"
printf '%s ended: exit code %s\n' "$tool" "$code"
