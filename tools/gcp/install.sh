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

busy="echo 'error: a tool is running here; follow.sh shows it, stop.sh ends it' >&2; exit 1"
on_hosts 0 "mkdir -p bignas_tf && flock --nonblock bignas_tf/tool.lock true || { $busy; }"
archive=$root/runs/bignas_tf.tar.gz
run mkdir -p "$root/runs"
run tar --exclude=__pycache__ -czf "$archive" -C "$root" bignas_tf experiments tools \
  requirements.txt requirements.lock
tpus tpu-vm scp "$archive" "$name:bignas_tf.tar.gz" --worker=all
# What was removed here is to be gone there, too.
unpack='mkdir -p bignas_tf && rm -rf bignas_tf/bignas_tf bignas_tf/experiments bignas_tf/tools'
# And what became of earlier runs does not count from here on.
unpack+=' && rm -f bignas_tf/*.end'
unpack+=' && tar -xzf bignas_tf.tar.gz -C bignas_tf'
on_hosts all "$unpack && bash bignas_tf/tools/gcp/host/install.sh"
