#!/usr/bin/env bash
# Exports children of a trained run on the first host of a TPU, on its CPU.
#
#   tools/gcp/export.sh --name=NAME --zone=ZONE --project=PROJECT --model_dir=gs://BUCKET/RUN \
#       [--search_dir=gs://BUCKET/RUN/search | --architecture=gs://BUCKET/RUN/search/child_400.json] \
#       [--output_dir=runs/export] [--labels=gs://BUCKET/names.json] [--licence=...] [--dry_run]
#
# The export continues when this command has ended; follow.sh --tool=export shows it, and fetch.sh
# brings its result. --search_dir is the folder `search` in --model_dir if neither it nor
# --architecture is given. --output_dir is on the host's disk, which goes with the TPU: exports
# cannot be written to a bucket. --dry_run prints the command and runs none.
set -euo pipefail
# shellcheck source=tools/gcp/lib.sh
source "$(dirname -- "${BASH_SOURCE[0]}")/lib.sh"

# shellcheck disable=SC2034 # read by name
model_dir='' search_dir='' architecture='' labels='' licence='' output_dir=runs/export
parse_flags model_dir 'search_dir architecture output_dir labels licence' "$@"
in_bucket model_dir
[[ $output_dir != *://* ]] ||
  fail "--output_dir=$output_dir: exports are written to the host's disk; fetch.sh brings them"
[[ -z $search_dir || -z $architecture ]] || fail "give --search_dir or --architecture, not both"
[[ -n $search_dir$architecture ]] || search_dir=${model_dir%/}/search

flags_of model_dir search_dir architecture output_dir labels licence
start_on_host export "${flags[@]}"
