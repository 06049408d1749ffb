#!/bin/bash
# Something that a worker needs has ended for good: says what and why as the last line on the console, and powers the
# machine off so that the group replaces it. It may have been killed, so what it said itself is not all that is looked at.
set -uo pipefail
. /opt/poolwright/settings
. /opt/poolwright/functions

property() {
  systemctl show -P "$2" "$1"
}

# Result and status as systemd has them: timeout, signal, oom-kill, exit-code and the like.
end_of() {
  local result status
  result=$(property "$1" Result)
  status=$(property "$1" ExecMainStatus)
  case $result in
    success | exit-code) printf 'exit code %s' "$status" ;;
    signal | core-dump) printf 'signal %s' "$(kill -l "$status" 2>/dev/null || printf %s "$status")" ;;
    oom-kill) printf 'out of memory' ;;
    watchdog) printf 'stuck: no sign of life within %s' "$(property "$1" WatchdogUSec)" ;;
    timeout) printf 'not done within %s' "$(property "$1" TimeoutStartUSec)" ;;
    *) printf '%s' "$result" ;;
  esac
}

# last_line MATCH…
last_line() {
  journalctl -b -o cat -n 1 --no-pager "$@" 2>/dev/null | cut -c 1-400
}

cause() {
  local unit
  if cat /run/poolwright-cause 2>/dev/null; then return 0; fi
  for unit in boot prepare; do
    if [ "$(property "poolwright-$unit" Result)" = success ]; then continue; fi
    printf 'the %s has ended (%s): %s' "${unit/prepare/preparation}" "$(end_of "poolwright-$unit")" "$(last_line -t poolwright)"
    return 0
  done
  if [ -z "$(property poolwright-launcher ExecMainStartTimestamp)" ]; then
    # Docker is started again and again, so its last result may be that of a start that has only begun: this is the entry
    # "unit failed with result" of systemd (SD_MESSAGE_UNIT_FAILURE_RESULT).
    printf 'the Docker engine does not start: %s %s' \
      "$(last_line UNIT=docker.service MESSAGE_ID=d9b373ed55a64feb8242e02dbe79a49c)" "$(last_line _SYSTEMD_UNIT=docker.service)"
    return 0
  fi
  # systemd before version 254 tells of every failure, also of those after which it starts the launcher again.
  case $(property poolwright-launcher ActiveState) in
    activating | active) return 1 ;;
  esac
  # Of the launcher itself: systemd, too, writes about the unit.
  printf 'the launcher has ended (%s): %s' "$(end_of poolwright-launcher)" "$(last_line _SYSTEMD_UNIT=poolwright-launcher.service)"
}

case $(systemctl is-system-running 2>/dev/null) in
  stopping) exit 0 ;;
esac
cause=$(cause) || exit 0
cause=${cause%.}
rm -f /run/poolwright-cause
if [ "$POWER_OFF" != true ]; then
  say "$cause. Staying up, because powerOffOnExit is false"
  exit 0
fi
WORK=$(mktemp -d /run/poolwright-ended.XXXXXX)
release >/dev/null 2>&1 || true
rm -rf "$WORK"
# A group that asks for the health of its machines leaves alone those that are off.
if [ "$REPLACED_BY_HEALTH" = true ]; then
  say "$cause. The group replaces this machine"
else
  say "$cause. Powering off"
  systemctl poweroff --no-block 2>/dev/null || poweroff -f
fi
