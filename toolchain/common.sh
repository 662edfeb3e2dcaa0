# Shared by the scripts of this folder; sourced, never run.
# Gives: the cache folder's paths, numbered steps with a progress line, a lock, and the SBF root's entry.
# shellcheck shell=bash

CHECKOUT=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
CACHE=${MILLRACE_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/millrace}
SBF=$CACHE/sbf
LOGS=$CACHE/logs
HOST_CARGO_HOME=${CARGO_HOME:-$HOME/.cargo}
mkdir -p "$LOGS" "$HOST_CARGO_HOME"
# What is kept to build a changed crate faster takes as much disk as all else, and a build from scratch gains nothing by it.
export CARGO_INCREMENTAL=0

say() { printf '%s\n' "$*" >&2; }
die() { say "error: $*"; exit 1; }

# take_lock FILE: one run at a time. Child processes keep the lock, so work that outlives a killed script still counts.
take_lock() {
  mkdir -p "$(dirname "$1")"
  exec 9>"$1"
  if ! flock -n 9; then
    say "waiting for another run that holds $1 ..."
    flock 9
  fi
}

as_minutes() { if (($1 < 90)); then echo "$1 s"; else echo "$((($1 + 30) / 60)) min"; fi; }

# Prints how far LOG has come, every second on a terminal and every 15 s elsewhere, once a step takes longer than 2 s.
# Understands cargo's own "done/total" counter.
watch_progress() { # LOG EXPECTED_SECS OWNER_PID LATE_TITLE
  local log=$1 expected=$2 owner=$3 began=$SECONDS every=15 elapsed last counter done_ total left line
  [[ -t 2 ]] && every=1
  while kill -0 "$owner" 2>/dev/null; do
    # Without the terminal: a sleep that outlives this function must not keep someone's pipe open.
    sleep 1 >/dev/null 2>&1
    elapsed=$((SECONDS - began))
    if ((elapsed == 2)) && [[ -n $4 ]]; then say "$4"; fi
    if ((elapsed < 2 || (elapsed != 2 && elapsed % every != 0))); then continue; fi
    last=$(tail -c 2000 "$log" 2>/dev/null | tr '\r' '\n' | sed 's/\x1b\[[0-9;]*[A-Za-z]//g' | grep -v '^ *$' | tail -n 1 | cut -c1-70) || true
    counter=$(grep -oE '[0-9]+/[0-9]+: ' <<<"$last" | tail -n 1 | tr -d ': ') || true
    left=$((expected - elapsed))
    if [[ -n $counter ]]; then
      done_=${counter%/*} total=${counter#*/}
      # The counter is trusted more the further it is; at the start the expectation is the better guess.
      ((done_ > 0 && elapsed > 20)) && left=$(((left * (total - done_) + elapsed * (total - done_) / done_ * done_) / total))
      last="$done_ of $total compiled"
    fi
    if ((left > 0)); then line="$(as_minutes $elapsed) gone, about $(as_minutes $left) left"
    else line="$(as_minutes $elapsed) gone, expected $(as_minutes "$expected")"; fi
    if [[ -t 2 ]]; then printf '\r\033[K      %s: %s' "$line" "$last" >&2; else say "      $line: $last"; fi
  done
}

# Free space where this checkout is, GB: a linker out of space dies of a bus error that says nothing of it.
free_gb() { df -Pk "$CHECKOUT" | awk 'NR == 2 { print int($4 / 1000000) }'; }

STEP=0
STEPS=1
# 1: steps that end within 2 s say nothing.
QUICK_STEPS_SILENT=
# step TITLE EXPECTED_SECS COMMAND...: runs COMMAND with its output in a log, shown only when it fails.
step() {
  local title=$1 expected=$2 log began=$SECONDS watcher status
  shift 2
  STEP=$((STEP + 1))
  log=$LOGS/$(basename "$0")-$STEP.log
  : >"$log"
  title="[$STEP/$STEPS] $title (about $(as_minutes "$expected"))"
  if [[ -z $QUICK_STEPS_SILENT ]]; then say "$title"; fi
  watch_progress "$log" "$expected" $$ "${QUICK_STEPS_SILENT:+$title}" 9>&- &
  watcher=$!
  # Cargo's counter is asked for even though the log is no terminal. The command stays in the foreground so that Ctrl-C reaches it.
  # Not "( ... ) || status": bash would then ignore set -e inside.
  set +e
  ( set -euo pipefail; export CARGO_TERM_PROGRESS_WHEN=always CARGO_TERM_PROGRESS_WIDTH=100; "$@" ) >>"$log" 2>&1 </dev/null
  status=$?
  set -e
  kill "$watcher" 2>/dev/null || true
  wait "$watcher" 2>/dev/null || true
  [[ -t 2 ]] && printf '\r\033[K' >&2
  if ((status != 0)); then
    tr '\r' '\n' <"$log" | tail -n 60 >&2
    die "$title: failed with exit status $status, with $(free_gb) GB free; whole log: $log"
  fi
  if [[ -z $QUICK_STEPS_SILENT ]] || ((SECONDS - began > 2)); then say "      done in $(as_minutes $((SECONDS - began)))"; fi
}

# stage TITLE COMMAND...: a step whose output is shown.
stage() {
  local began=$SECONDS
  STEP=$((STEP + 1))
  say "[$STEP/$STEPS] $1"
  shift
  "$@"
  say "      done in $(as_minutes $((SECONDS - began)))"
}

# already TITLE: a step whose result is there.
already() {
  STEP=$((STEP + 1))
  say "[$STEP/$STEPS] $1: there already"
}

# Solana's own cargo-build-sbf, where it is installed (this folder's shim of the same name does not count).
platform_tools() {
  local found
  found=$(type -ap cargo-build-sbf | grep -vxF "$CHECKOUT/toolchain/bin/cargo-build-sbf" | head -n 1) || true
  [[ -n $found ]] && ! grep -q 'Millrace shim' "$found" && "$found" --version 2>/dev/null | grep -q platform-tools && echo "$found"
}

# in_sbf_root [BWRAP OPTION...] -- COMMAND...: runs COMMAND in the Debian root, as a process whose mounts vanish with it.
# The environment starts empty but for proxies; CARGO_HOME is the host's, so that no crate is fetched twice.
in_sbf_root() {
  local options=() name
  while [[ $1 != -- ]]; do options+=("$1"); shift; done
  shift
  for name in http_proxy https_proxy no_proxy HTTP_PROXY HTTPS_PROXY NO_PROXY CARGO_NET_OFFLINE CARGO_BUILD_JOBS \
    CARGO_TERM_PROGRESS_WHEN CARGO_TERM_PROGRESS_WIDTH CARGO_TERM_COLOR; do
    [[ -n ${!name:-} ]] && options+=(--setenv "$name" "${!name}")
  done
  bwrap --die-with-parent --unshare-pid --clearenv \
    --bind "$SBF/root" / --proc /proc --dev /dev --tmpfs /tmp \
    --ro-bind-try /etc/resolv.conf /etc/resolv.conf \
    --ro-bind-try /etc/hosts /etc/hosts \
    --ro-bind-try /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/ca-certificates.crt \
    --bind "$HOST_CARGO_HOME" /cargo --bind "$SBF/tools" /opt/sbf \
    --setenv HOME /tmp --setenv PATH /usr/sbin:/usr/bin:/sbin:/bin --setenv LC_ALL C.UTF-8 --setenv CARGO_HOME /cargo \
    --chdir / "${options[@]}" -- "$@"
}

# is_twin FILE: whether it is a build with planted faults (toolchain/build-twin), for tests only.
TWIN_MARKER='MILLRACE TWIN WITH PLANTED FAULTS, NEVER DEPLOY'
is_twin() { LC_ALL=C grep -qaF "$TWIN_MARKER" "$1"; }

# refuse_twin FILE...: dies if one of them must never be deployed. For every script that deploys.
refuse_twin() {
  local file
  for file in "$@"; do
    if [[ -f $file ]] && is_twin "$file"; then
      die "$file is the twin with planted faults, for tests only: it must never be deployed (toolchain/build-program builds the program)"
    fi
  done
}
