#!/usr/bin/env bash
# Searches for children of a trained run on a TPU; an interrupted search continues when it is
# started again with the same flags.
#
#   tools/gcp/search.sh --name=NAME --zone=ZONE --project=PROJECT --accelerator=v3-8 \
#       --model_dir=gs://BUCKET/RUN --budgets_mflops=240,400,600 [--budget=mflops=400,params_m=5] \
#       [--output_dir=gs://BUCKET/RUN/search] [--params_override=...] [--dry_run]
#
# The search continues when this command has ended; follow.sh --tool=search shows it. --accelerator
# is the one given to create.sh. --budget may be given several times, once for each child.
# --output_dir is the folder `search` in --model_dir if unset. It keeps the children of one list of
# budgets: name all that you want, or another folder; what has been scored before is known in the
# same folder. --dry_run prints the commands and runs none.
set -euo pipefail
# shellcheck source=tools/gcp/lib.sh
source "$(dirname -- "${BASH_SOURCE[0]}")/lib.sh"

# shellcheck disable=SC2034 # read by name
accelerator='' model_dir='' output_dir='' budgets_mflops='' budget='' params_override='' \
  repeatable=budget
parse_flags 'accelerator model_dir' 'output_dir budgets_mflops budget params_override' "$@"
check_accelerator
in_bucket model_dir
: "${output_dir:=${model_dir%/}/search}"
in_bucket output_dir
[[ -n $budgets_mflops$budget ]] || fail "no budget; give --budgets_mflops or --budget, see --help"

drive_chips
flags_of model_dir output_dir budgets_mflops budget params_override
start_on_host search --tpu="$address" "${flags[@]}"
