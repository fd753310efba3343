#!/usr/bin/env bash
# On the first host: ends the tool that runs here as a preemption does, by SIGTERM, and waits for
# it. A training saves a checkpoint first, at the end of its loop.
set -euo pipefail
# shellcheck source=tools/gcp/host/lib.sh
source "$(dirname -- "${BASH_SOURCE[0]}")/lib.sh"

if ! running tool; then
  echo "no tool is running here"
  exit 0
fi
tool=$(< tool.name)
touch "$tool.stopped" # so that resume.sh --watch does not start it again
if ! kill -TERM -- "-$(< tool.pid)"; then
  rm "$tool.stopped" # it has just ended by itself
fi
if ! wait_for tool 300; then
  echo "error: $tool still runs after 5 minutes; tools/gcp/follow.sh --tool=$tool shows it" >&2
  exit 1
fi
tail --lines=3 "$tool.log"
