#!/bin/bash
# Credentials of the cloud's registries, by the machine's own identity: asked for when an image is pulled, and kept nowhere.
# The protocol of docker-credential-helpers: the registry on standard input, the answer as JSON on standard output.
set -Eeuo pipefail
umask 077
case ${1:-} in
  get) ;;
  list) echo '{}'; exit 0 ;;
  *) cat >/dev/null; exit 0 ;;
esac
. /opt/poolwright/settings
. /opt/poolwright/functions
STEP='login to the registry'
WORK=$(mktemp -d "${RUNTIME_DIRECTORY:-/tmp}/registry.XXXXXX")
trap 'rm -rf "$WORK"' EXIT

fail() {
  printf '%s\n' "$*" >&2
  exit 1
}

IFS= read -r server || [ -n "$server" ] || fail 'no registry was named on standard input'
host=${server#https://}
retry "$STEP $server" registry_login "${host%%/*}"
printf '{"ServerURL":"%s","Username":"%s","Secret":"%s"}\n' "$server" "$username" "$secret"
