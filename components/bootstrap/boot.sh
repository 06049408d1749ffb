#!/bin/bash
# The boot of a machine, step by step. It may be cut off at any point and is then done again from its first step: what is
# already there stays as it is, and every file is there whole or not at all. BOOTED is the file that says it is done.
set -Eeuo pipefail
umask 022
. /opt/poolwright/settings
. /opt/poolwright/functions
STEP='boot'
WORK=$(mktemp -d /run/poolwright-boot.XXXXXX)
trap 'rm -rf "$WORK"' EXIT
trap 'fail "an unexpected error in line $LINENO"' ERR

begin() {
  STEP="step $1/7 ($2)"
  say "$STEP"
}

# whole PATH: a file from standard input, by way of a name that nothing reads.
whole() {
  cat >"$1.new"
  mv "$1.new" "$1"
}

# Proxies and certificates come first: everything that is fetched later needs them.
trust() {
  local name folder=/usr/local/share/ca-certificates refresh=update-ca-certificates
  if [ -n "${HTTP_PROXY:-}${HTTPS_PROXY:-}" ]; then
    {
      echo '[Service]'
      for name in HTTP_PROXY HTTPS_PROXY NO_PROXY; do
        if [ -n "${!name:-}" ]; then printf 'Environment="%s=%s"\n' "$name" "${!name//%/%%}"; fi
      done
    } | whole /etc/systemd/system/docker.service.d/poolwright-proxy.conf
  fi
  if [ ! -e "$HOME_FOLDER/extra-ca.pem" ]; then return 0; fi
  if [ -d /etc/pki/ca-trust/source/anchors ]; then
    folder=/etc/pki/ca-trust/source/anchors
    refresh=update-ca-trust
  fi
  mkdir -p "$folder" "$WORK/ca"
  awk -v folder="$WORK/ca" '/-BEGIN CERTIFICATE-/ { n++ } n { print > (folder "/poolwright-" n ".crt") }' "$HOME_FOLDER/extra-ca.pem"
  for name in "$WORK"/ca/*; do whole "$folder/${name##*/}" <"$name"; done
  if ! command -v "$refresh" >/dev/null; then install_packages ca-certificates; fi
  "$refresh" >/dev/null 2>"$WORK/problem" || fail "the certificates cannot be added: $(problem)"
  # The whole list in one place and by one name, on the machine as in the containers of runs.
  for name in /etc/ssl/certs/ca-certificates.crt /etc/pki/tls/certs/ca-bundle.crt; do
    if [ -e "$name" ]; then whole "$HOME_FOLDER/ca-certificates.crt" <"$name" && break; fi
  done
}

install_packages() {
  if command -v apt-get >/dev/null; then
    export DEBIAN_FRONTEND=noninteractive
    retry 'package lists' apt_get update
    retry "packages $*" apt_get install -y --no-install-recommends "$@"
  elif command -v dnf >/dev/null; then
    retry "packages $*" quietly dnf install -y "${@//docker.io/docker}"
  elif command -v yum >/dev/null; then
    retry "packages $*" quietly yum install -y "${@//docker.io/docker}"
  else
    fail "the image lacks $*, and has neither apt-get nor dnf nor yum"
  fi
}

# An installation that was cut off has to be ended before another may begin, which apt-get says and does not do.
apt_get() {
  local command=(quietly apt-get -q -o DPkg::Lock::Timeout=120 -o Acquire::Retries=2 "$@")
  if "${command[@]}"; then return 0; fi
  grep -q 'dpkg --configure -a' "$WORK/problem" || return 1
  quietly dpkg --configure -a && "${command[@]}"
}

# Standard output would be mistaken for an answer.
quietly() {
  "$@" >"$WORK/output"
}

packages() {
  local missing=()
  command -v curl >/dev/null || missing+=(curl ca-certificates)
  command -v git >/dev/null || missing+=(git)
  command -v dockerd >/dev/null || missing+=(docker.io)
  command -v iptables >/dev/null || missing+=(iptables)
  if [ "$DISTRIBUTION" = hosted ]; then command -v gpg >/dev/null || missing+=(gpg); fi
  if [ "${#missing[@]}" -gt 0 ]; then install_packages "${missing[@]}"; fi
}

engine() {
  local how=start
  # One that runs already knows nothing of proxies and certificates. No run is there yet.
  if [ -n "${HTTP_PROXY:-}${HTTPS_PROXY:-}" ] || [ -e "$HOME_FOLDER/extra-ca.pem" ]; then
    systemctl daemon-reload
    how=restart
  fi
  {
    systemctl is-enabled --quiet docker || systemctl enable --quiet docker
    systemctl "$how" docker
  } 2>"$WORK/problem" || fail "Docker does not start: $(problem)"
  retry 'the Docker engine' docker_answers
}

docker_answers() {
  curl -sS -f -m 5 --unix-socket /var/run/docker.sock http://localhost/_ping >/dev/null
}

account() {
  if [ "$RUN_AS" = root ]; then return 0; fi
  local name
  name=$(getent passwd 1983 | cut -d : -f 1) || name=spacelift
  # Unlike useradd it leaves no locks behind when it is cut off.
  printf 'u %s 1983 - /var/lib/poolwright\nm %s docker\n' "$name" "$name" |
    systemd-sysusers - 2>"$WORK/problem" || fail "user $name cannot be made: $(problem)"
  getent passwd 1983 >/dev/null || fail "user $name is there already, and its id is not 1983"
}

launcher() {
  local file=$HOME_FOLDER/launcher have
  if [ "$DISTRIBUTION" = hosted ]; then
    hosted_launcher "$file"
    return 0
  fi
  if [ -x "$file" ] && [ "$(sha256 "$file")" = "$LAUNCHER_SHA256" ]; then return 0; fi
  retry 'fetching the launcher' fetch_object "$LAUNCHER_URL" "$file.new"
  if [ "$DISTRIBUTION" = bundled ]; then
    gunzip -c "$file.new" >"$file.plain" 2>"$WORK/problem" || fail "the launcher cannot be unpacked: $(problem)"
    mv "$file.plain" "$file.new"
  fi
  have=$(sha256 "$file.new")
  if [ "$have" != "$LAUNCHER_SHA256" ]; then
    rm -f "$file.new"
    fail "the launcher at $LAUNCHER_URL has SHA-256 $have, expected $LAUNCHER_SHA256; it was not started"
  fi
  chmod 755 "$file.new"
  mv "$file.new" "$file"
}

sha256() {
  sha256sum "$1" | cut -d ' ' -f 1
}

# The hosted service signs the list of checksums with the key of this fingerprint.
hosted_launcher() {
  local file=$1 base expected verified key=175FD97AD2358EFE02832978E302FB5AA29D88F7
  base=https://downloads.spacelift.io/spacelift-launcher-$(uname -m)
  export GNUPGHOME=$WORK/gnupg
  mkdir "$GNUPGHOME"
  chmod 700 "$GNUPGHOME"
  retry 'fetching the signing key' request "$WORK/key" "https://keys.openpgp.org/vks/v1/by-fingerprint/$key"
  retry 'fetching the launcher' request "$file.new" "$base"
  retry 'fetching its checksum' request "$WORK/sums" "${base}_SHA256SUMS"
  retry 'fetching its signature' request "$WORK/sums.sig" "${base}_SHA256SUMS.sig"
  gpg --batch --quiet --import "$WORK/key" 2>"$WORK/problem" || fail "the signing key cannot be read: $(problem)"
  verified=$(gpg --batch --status-fd 1 --verify "$WORK/sums.sig" "$WORK/sums" 2>"$WORK/problem") || verified=
  case $verified in
    *VALIDSIG*"$key"*) ;;
    *) fail "the launcher's checksum is not signed by $key: $(problem)" ;;
  esac
  read -r expected _ <"$WORK/sums"
  if [ "$(sha256 "$file.new")" != "$expected" ]; then
    rm -f "$file.new"
    fail 'the launcher does not have the checksum that is signed; it was not started'
  fi
  chmod 755 "$file.new"
  mv "$file.new" "$file"
}

# Whether the identity may read it is found out here, where the cause can be told, and not at the launcher's start.
credentials() {
  retry 'reading the credentials' fetch_secret "$CREDENTIALS" "$WORK/credentials"
  local name
  for name in SPACELIFT_TOKEN SPACELIFT_POOL_PRIVATE_KEY; do
    json_text "$name" <"$WORK/credentials" >/dev/null || fail "the secret $CREDENTIALS has no $name"
  done
  rm -f "$WORK/credentials"
}

units() {
  if [ "$RUN_AS" = root ]; then install -d -m 700 /var/lib/poolwright; else install -d -m 700 -o 1983 -g 1983 /var/lib/poolwright; fi
  systemctl enable --quiet poolwright-launcher
  if systemctl is-active --quiet poolwright-launcher; then return 0; fi
  # Only now: from here on the units say themselves what goes wrong. It waits until this program has ended.
  systemctl start --no-block poolwright-launcher
}

# What the mark vouches for must be on the disk before it.
done_once() {
  sync -f "$HOME_FOLDER"
  rm -f "$HOME_FOLDER"/booted-*
  : >"$BOOTED"
}

say "boot of a worker: launcher $LAUNCHER_VERSION, $CLOUD"
begin 1 'proxies and certificates'
trust
begin 2 packages
packages
begin 3 'Docker engine'
engine
begin 4 user
account
begin 5 launcher
launcher
begin 6 credentials
credentials
begin 7 'start of the launcher'
units
done_once
