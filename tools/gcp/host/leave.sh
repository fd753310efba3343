#!/usr/bin/env bash
# On the first host: prints a line that begins with "busy: " for each folder of exports that
# fetch.sh has not copied as it is, and that would be lost with the TPU.
set -euo pipefail
# shellcheck source=tools/gcp/host/lib.sh
source "$(dirname -- "${BASH_SOURCE[0]}")/lib.sh"

# Below the code, and where a tool was told to write.
places=(.)
for arguments in *.args; do
  [[ -f $arguments ]] || continue
  mapfile -t -O "${#places[@]}" places < <(sed -n 's/^--output_dir=//p' "$arguments" | grep '^/')
done
find "${places[@]}" -name .venv -prune -o -name models.config -print 2> /dev/null | sort -u |
  while IFS= read -r config; do
    folder=${config%/*}
    if [[ ! -e $folder/.fetched ]] ||
      [[ -n $(find "$folder" -name saved_model.pb -newer "$folder/.fetched") ]]; then
      echo "busy: the exports in ${folder#./} were not fetched"
    fi
  done
