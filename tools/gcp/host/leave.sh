#!/usr/bin/env bash
# On the first host: prints a line that begins with "busy: " for each folder of exports that
# fetch.sh has not copied as it is, and that would be lost with the TPU.
set -euo pipefail
# shellcheck source=tools/gcp/host/lib.sh
source "$(dirname -- "${BASH_SOURCE[0]}")/lib.sh"

# Where tools were told to write.
places=()
[[ ! -f outputs ]] || mapfile -t places < <(sort -u outputs)
for place in "${places[@]}"; do
  [[ -d $place ]] || continue
  find -H "$place" -name models.config
done | sort -u | while IFS= read -r config; do
  folder=${config%/*}
  new=$(find "$folder" -type f ! -name '.fetch*' -newer "$folder/.fetched" 2> /dev/null) || new=all
  [[ -z $new ]] || echo "busy: the exports in ${folder#"$PWD/"} were not fetched"
done
