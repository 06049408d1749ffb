#!/bin/bash
# The launcher has ended for good: says why on the console, and powers the machine off so that the group replaces it.
set -uo pipefail
. /opt/poolwright/settings
. /opt/poolwright/functions
case $(systemctl is-system-running 2>/dev/null) in
  stopping) exit 0 ;;
esac
# systemd before version 254 tells of every failure, also of those after which it starts the launcher again.
case $(systemctl show -P ActiveState poolwright-launcher) in
  activating | active) exit 0 ;;
esac
result=$(systemctl show -P Result poolwright-launcher)
status=$(systemctl show -P ExecMainStatus poolwright-launcher)
# Of the launcher itself: systemd, too, writes about the unit.
last=$(journalctl _SYSTEMD_UNIT=poolwright-launcher.service -o cat -n 1 --no-pager 2>/dev/null | cut -c 1-400)
cause="the launcher has ended ($result, exit code $status): $last"
if [ "$POWER_OFF" = true ]; then
  WORK=$(mktemp -d /run/poolwright-ended.XXXXXX)
  release >/dev/null 2>&1 || true
  rm -rf "$WORK"
  say "$cause. $LEAVING"
  power_off
else
  say "$cause. Staying up, because powerOffOnExit is false"
fi
