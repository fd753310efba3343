#!/usr/bin/env bash
# On the first host: state.sh TOOL FLAG prints "state: " and a word of what became of the tool that
# was started with this flag, such as --model_dir=gs://BUCKET/RUN:
#
#   running, finished, failed
#   stopped  by stop.sh
#   lost     killed, ended by SIGTERM, or never started: the same command continues
#   busy     not running, but another run of the tool is
set -euo pipefail
# shellcheck source=tools/gcp/host/lib.sh
source "$(dirname -- "${BASH_SOURCE[0]}")/lib.sh"

tool=$1 flag=$2
same=false
if [[ -f $tool.args ]] && grep -Fxq -e "$flag" "$tool.args"; then
  same=true
fi
word=lost
if running tool && [[ $(< tool.name) == "$tool" ]]; then
  word=busy
  [[ $same == false ]] || word=running
elif [[ $same == true && -f $tool.end ]]; then
  read -r word _ < "$tool.end"
fi
echo "state: $word"
