# Sourced by the scripts of this folder, which run on the TPU's hosts; goes to the code's root.
# shellcheck shell=bash
cd -- "$(dirname -- "${BASH_SOURCE[0]}")/../../.." || exit

# tell_tensorflow: processes started from here on read buckets, and compile, as a TPU's host needs.
tell_tensorflow() {
  # TensorFlow for TPUs keeps up to 160 GiB of a bucket in memory, in blocks of 512 MiB: more than
  # some hosts have. What it knows of a file's size and date it would believe for 5 s.
  GCS_READ_CACHE_MAX_SIZE_MB=$(awk '/^MemTotal/ { print int($2 / 1024 * 0.3) }' /proc/meminfo)
  export GCS_READ_CACHE_MAX_SIZE_MB GCS_READ_CACHE_BLOCK_SIZE_MB=64 GCS_STAT_CACHE_MAX_AGE=0
  # As in Google's tests of TensorFlow on TPUs; without them it takes an older way to XLA.
  local flags=(
    --tf_mlir_enable_mlir_bridge=true
    --tf_xla_sparse_core_disable_table_stacking=true
    --tf_mlir_enable_convert_control_to_data_outputs_pass=true
    --tf_mlir_enable_merge_control_flow_pass=true
  )
  export TF_XLA_FLAGS="${flags[*]}"
}

# drive_chips: processes started from here on drive this host's chips, by libtpu's PJRT interface.
drive_chips() {
  TF_PLUGGABLE_DEVICE_LIBRARY_PATH=$(
    .venv/bin/python -c 'import libtpu; print(libtpu.get_library_path())'
  )
  export TF_PLUGGABLE_DEVICE_LIBRARY_PATH NEXT_PLUGGABLE_DEVICE_USE_C_API=true
}

# running NAME: whether a shell that holds this name, or what it has started, is alive.
running() {
  ! flock --shared --nonblock "$1.lock" true
}

# hold NAME: what this shell starts from here on is under this name; only one shell can hold it.
hold() {
  exec {held}>> "$1.lock"
  # Others hold it for a moment, to see whether it is held.
  if ! flock --timeout 2 "$held"; then
    echo "error: another $1 was started at the same moment" >&2
    exit 1
  fi
}

# in_background NAME LOG COMMAND...: after `hold NAME`; it outlives this shell, and its output is
# added to LOG.
in_background() {
  local name=$1 log=$2
  shift 2
  setsid "$@" >> "$log" 2>&1 < /dev/null &
  printf '%s\n' "$!" > "$name.pid"
}

# stop NAME [SIGNAL]: ends it where it runs, by TERM if not said, and waits until it is gone.
stop() {
  if running "$1"; then
    kill "-${2:-TERM}" -- "-$(< "$1.pid")"
    flock --timeout 60 "$1.lock" true
  fi
}

# wait_for NAME SECONDS: whether it ends, or has ended, within so many seconds.
wait_for() {
  flock --shared --timeout "$2" "$1.lock" true
}

# code_of TOOL: the exit code with which it has ended; 1 if it left none.
code_of() {
  local code=1
  [[ ! -f $1.end ]] || read -r _ code < "$1.end"
  echo "$code"
}
