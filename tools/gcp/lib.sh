# Sourced by the scripts of this folder: flags, messages, and commands that a dry run only prints.
# shellcheck shell=bash

# shellcheck disable=SC2034 # the scripts use it
root=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")/../.." > /dev/null && pwd)
name='' zone='' project='' dry_run=false
gone=4 # with which a script ends where somebody else has deleted the TPU
repeatable='' # the flags that may be given several times; a script names its own
between=$'\x1f' # the values of such a flag, in its variable
exec 3>&1 # where a dry run prints, also from within $(...)

# fail MESSAGE [CODE]: 2 is for a mistake of the user, 1 for a run that failed.
fail() {
  printf 'error: %s\n' "$1" >&2
  exit "${2:-2}"
}

# parse_flags "REQUIRED..." "OPTIONAL..." ARGUMENT...: --zone=Z sets the variable zone.
# A variable that is true or false beforehand is a switch: --spot means --spot=true.
parse_flags() {
  local required="name zone project${1:+ $1}" argument flag value given=' '
  local known=" $required${2:+ $2} dry_run"
  shift 2
  for argument in "$@"; do
    [[ $argument != --help ]] || show_help
    [[ $argument =~ ^--([a-z_]+)(=(.*))?$ ]] ||
      fail "$argument is not of the form --flag=value; see --help"
    flag=${BASH_REMATCH[1]} value=${BASH_REMATCH[3]}
    [[ "$known " == *" $flag "* ]] || fail "--$flag is unknown; there are${known// / --}"
    if [[ ${!flag} == true || ${!flag} == false ]]; then
      value=${value:-true}
      [[ $value == true || $value == false ]] || fail "--$flag=$value: it is true or false"
    elif [[ -z ${BASH_REMATCH[2]} ]]; then
      fail "--$flag has no value; write --$flag=value"
    fi
    [[ $value != "~"* ]] || fail "--$flag=$value: no shell expands '~' there; write the whole path"
    if [[ " $repeatable " == *" $flag "* ]]; then
      value=${!flag:+${!flag}$between}$value
    elif [[ $given == *" $flag "* ]]; then
      fail "--$flag is given twice, of which only the last would count; give it once"
    fi
    given+="$flag "
    printf -v "$flag" %s "$value"
  done
  for flag in $required; do
    [[ -n ${!flag} ]] || fail "--$flag is missing; see --help"
  done
  [[ $dry_run == true ]] || command -v gcloud > /dev/null ||
    fail "gcloud is not installed; see https://cloud.google.com/sdk/docs/install"
}

# The comment at the top of the script is its help.
show_help() {
  sed -n '2,/^[^#]/s/^# \{0,1\}//p' "$0"
  exit 0
}

# flags_of FLAG...: sets the array `flags` to those of these flags that were given.
flags_of() {
  local flag rest
  flags=()
  for flag in "$@"; do
    rest=${!flag}
    while [[ -n $rest ]]; do
      flags+=("--$flag=${rest%%"$between"*}")
      [[ $rest == *"$between"* ]] || break
      rest=${rest#*"$between"}
    done
  done
}

# in_bucket FLAG: refuses a folder that is not in a bucket.
in_bucket() {
  [[ ${!1} == gs://* ]] ||
    fail "--$1=${!1} would go with the TPU; name a folder in a bucket, gs://BUCKET/RUN"
}

# check_config_files: refuses a --config_file that the hosts will not have either.
# shellcheck disable=SC2154 # the scripts have it
check_config_files() {
  local each here
  flags_of config_file
  for each in "${flags[@]#--config_file=}"; do
    here=${each#./}
    [[ $each == gs://* || (/$each != */../* && -f $root/experiments/${here#experiments/}) ]] ||
      fail "--config_file=$each is neither in experiments/ here nor in a bucket"
  done
}

# words WORD...: one line that a shell reads back as these words.
words() {
  local word separator='' quote="'" escaped="'\"'\"'"
  for word in "$@"; do
    [[ $word =~ ^[A-Za-z0-9_@%+=:,./-]+$ ]] || word="'${word//$quote/$escaped}'"
    printf '%s%s' "$separator" "$word"
    separator=' '
  done
}

# run COMMAND...: shows the command and runs it; a dry run only shows it.
run() {
  if [[ $dry_run == true ]]; then
    printf '%s\n' "$(words "$@")" >&3
  else
    printf '+ %s\n' "$(words "$@")" >&2
    "$@"
  fi
}

# tpus WORD...: a command of gcloud's on the TPUs of this project and zone.
tpus() {
  run gcloud compute tpus "$@" --zone="$zone" --project="$project"
}

# on_hosts WHICH COMMAND: on the host 0, or on all.
on_hosts() {
  tpus tpu-vm ssh "$name" --worker="$1" --command="$2"
}

# start_on_host TOOL FLAG...: starts a tool on the first host; it continues when this has ended.
start_on_host() {
  on_hosts 0 "bash bignas_tf/tools/gcp/host/run.sh $(words "$@")"
}

# check_accelerator: refuses an --accelerator that is not like v3-8.
# shellcheck disable=SC2154 # the scripts have it
check_accelerator() {
  [[ $accelerator =~ ^[a-z0-9]+-[1-9][0-9]*$ ]] || fail "--accelerator=$accelerator is not like v3-8"
}

# image_of ACCELERATOR: the plain image of its hosts, or a mistake.
image_of() {
  case $1 in
    v2-* | v3-* | v4-*) echo tpu-ubuntu2204-base ;;
    v5p-*) echo v2-alpha-tpuv5 ;;
    v5litepod-*) echo v2-alpha-tpuv5-lite ;;
    v6e-1 | v6e-4 | v6e-8) echo v2-alpha-tpuv6e ;;
    v6e-*) fail "--accelerator=$1: TensorFlow's server knows no slices of v6e; up to v6e-8" ;;
    *) fail "--accelerator=$1 is unknown; write v2-8, v3-32, v4-8, v5p-8, v5litepod-8, ..." ;;
  esac
}

# check_there: refuses an --accelerator that is not the one that was requested.
check_there() {
  local there
  [[ $dry_run == false ]] || return 0
  there=$(of_request 'tpu.nodeSpec[0].node.acceleratorType')
  [[ -z $there || $there == "$accelerator" ]] ||
    fail "$name is a $there already; give --accelerator=$there, or another --name"
}

# remind_of_cost: what a user should know who leaves a TPU as it is.
remind_of_cost() {
  [[ $dry_run == true ]] || printf '%s costs until %s\n' "$name" \
    "tools/gcp/delete.sh $(words --name="$name" --zone="$zone" --project="$project")" >&2
}

# drive_chips: sets `address` to the --tpu of a tool that drives the chips of this --accelerator.
# Up to 8 cores (v2 to v5p) or chips (v5e, v6e) belong to one host. In a slice every host serves its
# chips, and the first host alone runs the program, which finds the servers by the TPU's name.
# shellcheck disable=SC2034 # the scripts use it
drive_chips() {
  check_there
  address=local
  if ((${accelerator##*-} > 8)); then
    on_hosts all 'bash bignas_tf/tools/gcp/host/serve.sh'
    address=$name
  fi
}

# of_request FIELD: what gcloud says of the queued resource; nothing where there is none.
of_request() {
  local each value
  tpus queued-resources list --format="value(name.basename(),$1)" |
    while IFS=$'\t' read -r each value; do
      [[ $each != "$name" ]] || printf '%s\n' "$value"
    done
}

# Its state, such as ACTIVE or SUSPENDED.
state() {
  of_request state.state
}
