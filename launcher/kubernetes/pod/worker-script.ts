// The program of the container `worker`: a shell loop, because the runner image has nothing of ours and may have any C
// library or none. docs/kubernetes.md, "What the containers say to each other", has its protocol.

/** Variables of the container that the server asks for, besides those that SPACELIFT_MASK_ENVS names. */
export const askedVariables = [
  'PATH',
  'SPACELIFT_DEBUG',
  'SPACELIFT_LAUNCHER_LOGS_TIMEOUT',
  'SPACELIFT_LAUNCHER_RUN_TIMEOUT',
  'SPACELIFT_MASK_ENVS',
  'SPACELIFT_RUN_LOGS_ON_STANDARD_OUTPUT_ENABLED',
  'SPACELIFT_SENSITIVE_OUTPUT_UPLOAD_ENABLED',
  'SPACELIFT_WHITELIST_ENVS',
] as const;

/** POSIX shell; works with dash, busybox and bash. First argument: the folder of the bridge. */
export const workerScript = `#!/bin/sh
# Executes the steps that the container launcher-grpc puts into the folder of the bridge, one at a time.
[ $$ = 1 ] || { echo 'This is for the first process of a container only: it ends all others.' >&2; exit 64; }
bridge=$1
umask 022
number=

# Signal $1 to everything that a step has started: to all of this container but its first process, which this is.
signal_steps() {
  kill "-$1" -1 2>/dev/null
}

# How many processes of this container the kernel has ended for want of memory.
memory_kills() {
  kills=0
  # cgroups(7) of the second version, and of the first.
  for counts in /sys/fs/cgroup/memory.events /sys/fs/cgroup/memory/memory.oom_control; do
    [ -r "$counts" ] || continue
    while read -r name count; do
      [ "$name" = oom_kill ] && kills=$count
    done <"$counts"
  done
  echo "$kills"
}

told=0
trap 'told=1; signal_steps TERM' TERM

# Opening waits for the other side; its end is the end of the pipe.
exec 4>"$bridge/words" || exit 70
exec 3<"$bridge/orders" || exit 70
mkdir -p "$bridge/variables"
asked="${askedVariables.join(' ')}"
for name in $asked $(IFS=' ,'; echo $SPACELIFT_MASK_ENVS); do
  case $name in *[!A-Za-z0-9_]* | [0-9]*) continue ;; esac
  eval "[ -n \\"\\\${$name+set}\\" ] && printf %s \\"\\$$name\\"" >"$bridge/variables/$name" || rm -f "$bridge/variables/$name"
done
echo hello >&4

while :; do
  if ! read -r order argument <&3; then
    # A signal interrupts the reading, too.
    if [ "$told" = 1 ]; then
      told=0
      continue
    fi
    signal_steps KILL
    exit 71
  fi
  case $order in
    step)
      number=$argument
      {
        # Steps get their own; this shell stays to tell how they ended, and that the container is being ended.
        asked=0
        trap 'asked=1' TERM
        before=$(memory_kills)
        (. "$bridge/step.$number") </dev/null >"$bridge/output.$number" 2>&1 3<&- 4>&-
        code=$?
        cause=exit
        [ "$asked" = 0 ] || cause=asked
        [ "$(memory_kills)" = "$before" ] || cause=memory
        echo "end $number $code $cause" >&4
      } &
      ;;
    term) signal_steps TERM ;;
    kill)
      signal_steps KILL
      echo "end $number 137 killed" >&4
      ;;
    leave) exit 0 ;;
  esac
done
`;
