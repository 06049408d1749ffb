#!/bin/bash
# Starts the launcher: reads the credentials by the machine's own identity and hands them over in its environment.
set -Eeuo pipefail
umask 077
. /opt/poolwright/settings
. /opt/poolwright/functions
STEP='start of the launcher'
WORK=$(mktemp -d "$RUNTIME_DIRECTORY/start.XXXXXX")
trap 'rm -rf "$WORK"' EXIT

# The unit starts it again a few times, and powers off itself when that does not help.
fail() {
  printf '%s failed: %s\n' "$STEP" "$*" >&2
  exit 1
}

retry 'reading the instance metadata' instance_metadata
retry 'reading the credentials' fetch_secret "$CREDENTIALS" "$WORK/credentials"
SPACELIFT_TOKEN=$(json_text SPACELIFT_TOKEN <"$WORK/credentials")
SPACELIFT_POOL_PRIVATE_KEY=$(json_text SPACELIFT_POOL_PRIVATE_KEY <"$WORK/credentials")
export SPACELIFT_TOKEN SPACELIFT_POOL_PRIVATE_KEY
. /opt/poolwright/launcher.env
if [ -e /run/poolwright-startup.env ]; then
  while IFS= read -r -d '' entry; do export "${entry?}"; done </run/poolwright-startup.env
fi
rm -rf "$WORK"
export PATH=/opt/poolwright/bin:$PATH
exec /opt/poolwright/launcher
