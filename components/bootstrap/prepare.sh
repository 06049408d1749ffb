#!/bin/bash
# Before the launcher starts, at every boot, as root: keeps runs from the metadata service, runs the start-up script.
set -Eeuo pipefail
umask 077
. /opt/poolwright/settings
. /opt/poolwright/functions
STEP='preparation'
WORK=$(mktemp -d /run/poolwright-prepare.XXXXXX)
trap 'rm -rf "$WORK"' EXIT
trap 'fail "an unexpected error in line $LINENO"' ERR

# What comes from a container arrives by an interface and passes PREROUTING; what the machine itself sends does not.
block() {
  local program=iptables
  case $1 in *:*) program=ip6tables ;; esac
  if [ "$program" = ip6tables ] && [ ! -e /proc/net/if_inet6 ]; then return 0; fi
  "$program" -w -t mangle -C PREROUTING -d "$1" -p tcp --dport "$2" -j DROP 2>/dev/null ||
    "$program" -w -t mangle -I PREROUTING -d "$1" -p tcp --dport "$2" -j DROP 2>"$WORK/problem" ||
    fail "the metadata service cannot be kept from runs: $(problem)"
}
if [ "$BLOCK_METADATA" = true ]; then
  while read -r address port; do block "$address" "$port"; done < <(metadata_service)
fi

# What the script exports becomes the launcher's: in memory only, since it may be secret.
exported=/run/poolwright-startup.env
if [ -n "$STARTUP_SCRIPT" ] && [ ! -e "$exported" ]; then
  say 'start-up script'
  retry 'reading the start-up script' fetch_secret "$STARTUP_SCRIPT" "$WORK/script"
  # The trap is for scripts that `exit`, the last line for those with an EXIT trap of their own.
  # No `||` after the dot: it would switch off the `set -e` of the script.
  # shellcheck disable=SC2016 # for the inner shell
  bash -c '
    trap "case \$? in 0) env -0 >\"$1\" || exit 1 ;; esac" EXIT
    _after=$1
    . "$2"
    case $? in 0) env -0 >"$_after" ;; *) exit ;; esac
  ' startup "$WORK/after" "$WORK/script" 2>"$WORK/problem" >/dev/null ||
    fail "the start-up script ended with an error: $(problem)"
  [ -e "$WORK/after" ] || fail 'the start-up script has an EXIT trap of its own and ended by exit: its exports are lost'
  env -0 | sort -z >"$WORK/before"
  # 1: it exports nothing.
  sort -z "$WORK/after" | comm -z -13 "$WORK/before" - |
    { grep -zvE '^(_|SHLVL|PWD|OLDPWD)=' || [ $? = 1 ]; } >"$exported.new"
  if [ "$RUN_AS" != root ]; then chown 1983 "$exported.new"; fi
  chmod 400 "$exported.new"
  mv "$exported.new" "$exported"
fi
