#!/usr/bin/env bash
# Copies this code to every host of a TPU and makes its Python environment there.
#
#   tools/gcp/install.sh --name=NAME --zone=ZONE --project=PROJECT [--dry_run]
#
# Refuses while a tool runs there. --dry_run prints the commands and runs none.
set -euo pipefail
# shellcheck source=tools/gcp/lib.sh
source "$(dirname -- "${BASH_SOURCE[0]}")/lib.sh"

parse_flags '' '' "$@"

on_hosts 0 'mkdir -p bignas_tf && flock --nonblock --verbose bignas_tf/tool.lock true'
archive=$root/runs/bignas_tf.tar.gz
run mkdir -p "$root/runs"
run tar --exclude=__pycache__ -czf "$archive" -C "$root" bignas_tf experiments requirements.txt tools
tpus tpu-vm scp "$archive" "$name:bignas_tf.tar.gz" --worker=all
unpack='mkdir -p bignas_tf && tar -xzf bignas_tf.tar.gz -C bignas_tf'
on_hosts all "$unpack && bash bignas_tf/tools/gcp/host/install.sh"
