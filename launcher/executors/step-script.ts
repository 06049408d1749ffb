// What stands between a step and the launcher: a few lines of shell that write the step's output and its end into
// files. Nothing of a step hangs on the launcher's process, so a launcher that was killed finds it again.

/**
 * Takes the path prefix of the step's files and its script, for `/bin/sh -c stepScript step PREFIX SCRIPT`.
 *
 * - `begun` is made by whoever comes first: a step that is started twice runs once. It holds the process id, unless the
 *   disk is full.
 * - Output goes through a pipe to `dd`, as it is written, into segments of at most 16 MB. A launcher removes what it
 *   has read; when it does not, the step waits with 24 segments on disk.
 *   A `dd` that somebody kills is followed by another one.
 * - `memory` holds how many processes of the run the kernel had killed for memory before the step, and after it: as the
 *   group counts it that the step is in (cgroups(7), of either version), or the nearest one around it that does. Nothing where
 *   none counts. Taken by the step's own shell: it sees its group wherever the launcher is, and a launcher that was killed
 *   misses nothing.
 * - `end` holds the exit code, in a place that is taken before the step begins, since that may fill the disk; `closed`
 *   comes when nobody holds the output any more, `lost` when it cannot be kept.
 * - SIGTERM is for the step: what carries its output goes on until there is none.
 *
 * Files but no programs, except `dd` and `sleep`, are needed: the step's PATH may be anything. No variable is set in the
 * shell that starts the step: one of the same name in the run's environment would be another one then.
 */
export const stepScript = `memory_kills() {
  one= two=
  while IFS=: read -r id names path; do
    case $id,$names, in
      0,,) two=$path ;;
      *,memory,*) one=$path ;;
    esac
  done </proc/self/cgroup
  for group in "/sys/fs/cgroup/memory$one/memory.oom_control" /sys/fs/cgroup/memory/memory.oom_control; do
    [ ! -r "$group" ] || memory_kills_in "$group"
  done
  while :; do
    [ ! -r "/sys/fs/cgroup$two/memory.events" ] || memory_kills_in "/sys/fs/cgroup$two/memory.events"
    [ -n "$two" ] || exit 0
    two=\${two%/*}
  done
}
memory_kills_in() {
  while read -r name count; do
    [ "$name" != oom_kill ] || { echo "$count"; exit 0; }
  done <"$1"
}
(set -C; : >"$1.begun") 2>/dev/null || exit 0
echo "$$" 2>/dev/null >"$1.begun"
echo '    ' >"$1.end"
set -- "$1" "$2" "$(memory_kills 2>/dev/null)"
echo "$3                     " 2>/dev/null >"$1.memory"
trap : TERM INT HUP
{ trap : TERM INT HUP
  /bin/sh -e -c "$2" 2>&1 </dev/null
  set -- "$1" "$?" "$3"
  echo "$3 $(memory_kills)" 1<>"$1.memory"
  echo "$2" 1<>"$1.end"
} 2>/dev/null | { trap '' TERM INT HUP
  PATH=$PATH:/usr/bin:/bin
  umask 077
  n=1
  while :; do
    dd of="$1.$n.out" bs=16384 count=1024 2>/dev/null
    r=$?
    if [ "$r" = 0 ]; then
      [ -s "$1.$n.out" ] || { : >"$1.closed"; exit; }
    elif [ "$r" -le 128 ]; then
      break
    fi
    n=$((n+1))
    while [ -e "$1.$((n-24)).out" ]; do sleep 1; done
  done
  : >"$1.lost"
}`;

/** The file of a step below the folder of outputs; `what` as above, or the number of a segment from 1. */
export function stepFile(
  step: number,
  what: 'begun' | 'memory' | 'end' | 'closed' | 'lost' | number,
): string {
  return `${String(step)}.${typeof what === 'number' ? `${String(what)}.out` : what}`;
}
