#!/usr/bin/env bash
# Copies the children that export.sh has exported from a TPU's first host to this machine.
#
#   tools/gcp/fetch.sh --name=NAME --zone=ZONE --project=PROJECT [--export_dir=runs/export] \
#       [--output_dir=runs] [--dry_run]
#
# --export_dir  the --output_dir of export.sh
# --output_dir  a folder of this machine, which gets a folder of the same name: runs/export
# --dry_run     prints the commands and runs none
#
# Refuses while an export runs. models.config gets the paths of this machine.
set -euo pipefail
# shellcheck source=tools/gcp/lib.sh
source "$(dirname -- "${BASH_SOURCE[0]}")/lib.sh"

export_dir=runs/export output_dir=runs
parse_flags '' 'export_dir output_dir' "$@"
export_dir=${export_dir%/} output_dir=${output_dir%/}
slashed=/${export_dir#/}/ # models.config has the folder's plain name
[[ $slashed != *//* && $slashed != */./* && $slashed != */../* ]] ||
  fail "--export_dir=$export_dir: write it without '.', '..' and '//'"
folder=${export_dir##*/}
[[ $dry_run == true || ! -e $output_dir/$folder ]] ||
  fail "$output_dir/$folder is there already; move it, or choose another --output_dir"
from=$export_dir
[[ $from == /* ]] || from=bignas_tf/$from
part=$output_dir/.fetched # what a copy that was interrupted leaves, too

# The server wants absolute paths, and those in models.config are the host's.
name_paths_of_this_machine() {
  local here line found=false there=/${from#/} # a child's name may repeat that of its folder
  here=$(cd -- "$output_dir" && pwd -P)/$folder
  while IFS= read -r line; do
    if [[ $line == *base_path:*"$there"* ]]; then
      line="${line%%base_path:*}base_path: \"$here${line#*"$there"}"
      found=true
    fi
    printf '%s\n' "$line"
  done < "$part/$folder/models.config" > "$part/models.config"
  [[ $found == true ]] ||
    fail "$from is not in models.config, which has $(grep -m 1 base_path "$part/models.config")" 1
  mv -- "$part/models.config" "$part/$folder/models.config"
}

on_hosts 0 "bash bignas_tf/tools/gcp/host/exported.sh $(words "$export_dir")"
run rm -rf "$part"
run mkdir -p "$part"
tpus tpu-vm scp "$name:$from" "$part" --recurse --worker=0
[[ $dry_run == true ]] || name_paths_of_this_machine
run mv "$part/$folder" "$output_dir"
run rmdir "$part"
run rm -f "$output_dir/$folder/.fetching"
on_hosts 0 "mv $(words "$from/.fetching" "$from/.fetched")" # delete.sh asks for it
