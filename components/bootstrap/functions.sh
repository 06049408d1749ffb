# shellcheck shell=bash
# What boot, preparation and start share. Settings and the cloud's own functions are read before it.
# STEP is what failures name; WORK is a folder of its own per program, in memory, readable by its user only.

# One line on the serial console and in the journal.
say() {
  printf 'poolwright: %s\n' "$*" >"$CONSOLE" 2>/dev/null || true
  logger -t poolwright -- "$*" 2>/dev/null || true
}

# A full disk lets many things fail, and few of them say so.
disk() {
  local free
  free=$(df -k --output=avail "${HOME_FOLDER:-/}" 2>/dev/null | tail -n 1) || return 0
  if [ "${free:-9999}" -lt 1024 ]; then printf '; the disk of %s is full' "${HOME_FOLDER:-/}"; fi
}

# Ends for good. The failure of its unit starts another, which says this cause as the machine's last line and powers off.
fail() {
  trap - ERR
  printf '%s failed: %s' "$STEP" "$*$(disk)" >/run/poolwright-cause || true
  exit 1
}

# retry WHAT COMMAND…: six times, 1 s to 16 s apart. The command says on standard error why it failed.
retry() {
  local what=$1 attempt pause=1
  shift
  for attempt in 1 2 3 4 5 6; do
    if "$@" 2>"$WORK/problem"; then return 0; fi
    if [ "$attempt" = 6 ]; then break; fi
    say "$what: $(problem), again in $pause s"
    sleep "$pause"
    pause=$((pause * 2))
  done
  fail "$what: $(problem)"
}

# Never fails itself: under errtrace that would end the machine before the command is tried again.
problem() {
  local last
  last=$(tr -d '\r' <"$WORK/problem" | awk 'NF { line = $0 } END { print substr(line, 1, 300) }') || true
  printf '%s' "${last:-it gave no reason}"
}

# request OUT CURL-ARGUMENT…: the answer's body in OUT; on anything but 2xx its beginning on standard error.
request() {
  local out=$1 status
  shift
  status=$(curl -sS --connect-timeout 5 --max-time 600 -o "$out" -w '%{http_code}' "$@") || return 1
  case $status in
    2??) return 0 ;;
  esac
  printf 'HTTP %s %s\n' "$status" "$(head -c 200 "$out" 2>/dev/null | tr -s '[:space:]' ' ')" >&2
  return 1
}

# json_text NAME: the string with this name in the JSON on standard input, as text. Nothing else of JSON is needed.
json_text() {
  LC_ALL=C awk -v name="$1" '
    { text = text $0 "\n" }
    function utf8(code) {
      if (code < 128) return sprintf("%c", code)
      if (code < 2048) return sprintf("%c%c", 192 + int(code / 64), 128 + code % 64)
      return sprintf("%c%c%c", 224 + int(code / 4096), 128 + int(code / 64) % 64, 128 + code % 64)
    }
    function hexadecimal(digits,   value, place) {
      for (place = 1; place <= 4; place++)
        value = value * 16 + index("0123456789abcdef", tolower(substr(digits, place, 1))) - 1
      return value
    }
    END {
      if (!match(text, "\"" name "\"[ \t\n]*:[ \t\n]*\"")) exit 1
      rest = substr(text, RSTART + RLENGTH)
      while (match(rest, /^[^"\\]+/) || substr(rest, 1, 1) == "\\") {
        if (substr(rest, 1, 1) != "\\") {
          printf "%s", substr(rest, 1, RLENGTH)
          rest = substr(rest, RLENGTH + 1)
          continue
        }
        letter = substr(rest, 2, 1)
        rest = substr(rest, 3)
        if (letter == "u") {
          printf "%s", utf8(hexadecimal(substr(rest, 1, 4)))
          rest = substr(rest, 5)
        } else if (letter == "n") printf "\n"
        else if (letter == "t") printf "\t"
        else if (letter == "r") printf "\r"
        else if (letter == "b") printf "\b"
        else if (letter == "f") printf "\f"
        else printf "%s", letter
      }
      if (substr(rest, 1, 1) != "\"") exit 1
    }'
}
