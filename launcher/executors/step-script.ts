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
 * - `end` holds the exit code, in a place that is taken before the step begins, since that may fill the disk; `closed`
 *   comes when nobody holds the output any more, `lost` when it cannot be kept.
 * - SIGTERM is for the step: what carries its output goes on until there is none.
 *
 * Files but no programs, except `dd` and `sleep`, are needed: the step's PATH may be anything.
 */
export const stepScript = `p=$1
(set -C; : >"$p.begun") 2>/dev/null || exit 0
echo "$$" 2>/dev/null >"$p.begun"
echo '    ' >"$p.end"
trap : TERM INT HUP
{ trap : TERM INT HUP
  /bin/sh -e -c "$2" 2>&1 </dev/null
  echo "$?" 1<>"$p.end"
} 2>/dev/null | { trap '' TERM INT HUP
  PATH=$PATH:/usr/bin:/bin
  umask 077
  n=1
  while :; do
    dd of="$p.$n.out" bs=16384 count=1024 2>/dev/null
    r=$?
    if [ "$r" = 0 ]; then
      [ -s "$p.$n.out" ] || { : >"$p.closed"; exit; }
    elif [ "$r" -le 128 ]; then
      break
    fi
    n=$((n+1))
    while [ -e "$p.$((n-24)).out" ]; do sleep 1; done
  done
  : >"$p.lost"
}`;

/** The file of a step below the folder of outputs; `what` as above, or the number of a segment from 1. */
export function stepFile(step: number, what: 'begun' | 'end' | 'closed' | 'lost' | number): string {
  return `${String(step)}.${typeof what === 'number' ? `${String(what)}.out` : what}`;
}
