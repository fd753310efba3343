#!/usr/bin/env bash
# On every host of a slice: serves this host's chips to the program on the first host.
set -euo pipefail
# shellcheck source=tools/gcp/host/lib.sh
source "$(dirname -- "${BASH_SOURCE[0]}")/lib.sh"

if running server; then
  exit 0
fi
# Some images bring a server of their own, of another TensorFlow, which holds the chips and the port.
sudo systemctl stop tpu-runtime 2> /dev/null || true
# What such a server has left, as root; no server of ours runs.
sudo rm -f /tmp/libtpu_lockfile || true
drive_chips
tell_tensorflow
hold server
in_background server server.log \
  .venv/bin/python tools/gcp/host/worker.py .venv/bin/start_grpc_tpu_worker
