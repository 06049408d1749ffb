#!/usr/bin/env bash
# Brings the real parts that tests use into .tools/ and, on Debian as root, the system packages.
# What cannot be had is said and left out; the tests then skip what needs it and say so.
# Packages mostly wait for the network and programs for the processor, so that they are brought side by side.
set -uo pipefail
cd "$(dirname "$0")/../.." || exit 1
mkdir -p .tools/bin

say() { printf '%s\n' "$*" >&2; }

system_packages() {
  local packages=(docker.io busybox-static chromium git openssl python3-venv binutils binutils-aarch64-linux-gnu
    shellcheck debootstrap gpg etcd-server postgresql mosquitto libdeflate-tools libfaketime)
  local missing=() package
  if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null; then
    say "not Debian as root: install these yourself if you want their suites: ${packages[*]}"
    return
  fi
  for package in "${packages[@]}"; do
    dpkg-query -W -f='${Status}' "$package" 2>/dev/null | grep -q 'ok installed' || missing+=("$package")
  done
  [ "${#missing[@]}" -gt 0 ] || return 0
  say "installing ${missing[*]} …"
  if ! { apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}"; } >/dev/null; then
    say "not all of these packages could be installed: ${missing[*]}"
  fi
}

emulators() {
  if ! .tools/venv/bin/python -c 'import tink, cryptography, moto, flask_cors' 2>/dev/null; then
    say 'installing tink, cryptography and moto from PyPI …'
    # Of moto only the services that are used, and what its server needs.
    if ! { python3 -m venv .tools/venv && .tools/venv/bin/pip install --quiet --disable-pip-version-check tink cryptography \
      'moto[ecr,iam,s3,secretsmanager]==5.2.5' 'flask==3.1.3' 'flask-cors==6.0.5'; }; then
      say 'not all of them could be installed'
    fi
  fi
  if [ ! -e .tools/azurite/node_modules/azurite ]; then
    say 'installing Azurite from npm …'
    npm install --silent --no-audit --no-fund --prefix .tools/azurite azurite@3.35.0 || say 'Azurite could not be installed'
  fi
  if [ ! -e .tools/venv/bin/gcp-storage-emulator ]; then
    say 'installing an emulator of Google Cloud Storage from PyPI …'
    .tools/venv/bin/pip install --quiet --disable-pip-version-check gcp-storage-emulator==2026.7.19 || say 'it could not be installed'
  fi
}

# A Debian as clouds offer it, with the engine already there: machines boot from it in containers. The packages' archives
# stay in it, so that a machine can install them again without a network. cloud-init is there and stays away unless asked for.
machine() {
  local image=.tools/debian-12.tar root
  [ ! -s "$image" ] || return 0
  if [ "$(id -u)" != 0 ] || ! command -v debootstrap >/dev/null; then
    say 'no debootstrap or not root: machines are not booted'
    return
  fi
  say 'making a Debian that boots (a minute or two, once) …'
  root=$(mktemp -d)
  if debootstrap --variant=minbase --include=systemd,systemd-sysv,dbus,curl,ca-certificates,openssl,iproute2,iptables,procps,git,docker.io,gpg,cloud-init,python3-cffi-backend bookworm "$root" >.tools/debootstrap.log 2>&1; then
    touch "$root/etc/cloud/cloud-init.disabled"
    tar -C "$root" -cf "$image.new" . && mv "$image.new" "$image"
  else
    say "it could not be made: $(tail -n 1 .tools/debootstrap.log)"
  fi
  rm -rf --one-file-system "$root"
}

# go_program PROGRAM FOLDER PACKAGE [LINKER FLAGS]: from the module in test/tools/FOLDER, which pins all that goes into it.
go_program() {
  local program=$1 folder=$2 package=$3 flags=${4:-}
  [ ! -x ".tools/bin/$program" ] || return 0
  if ! command -v go >/dev/null; then
    say "no Go: $program is not built"
    return
  fi
  say "building $program (some minutes, once) …"
  (cd "test/tools/$folder" && CGO_ENABLED=0 go build -trimpath -ldflags "-s -w $flags" -o "../../../.tools/bin/$program" "$package" 2> >(grep -v '^go: downloading ' >&2)) ||
    say "$program could not be built"
}

programs() {
  # The API server of Kubernetes and its command line; the version is what clients are told.
  local version=k8s.io/component-base/version
  local kubernetes="-X $version.gitVersion=v1.34.4 -X $version.gitMajor=1 -X $version.gitMinor=34" program
  for program in kube-apiserver kubectl; do
    go_program "$program" kubernetes "k8s.io/kubernetes/cmd/$program" "$kubernetes"
  done
  go_program tofu opentofu github.com/opentofu/opentofu/cmd/tofu
  go_program helm helm helm.sh/helm/v3/cmd/helm
  # The Pulumi engine and its reader of YAML, only when asked for (`npm run test:tools -- engine`): two long builds.
  if [[ " $* " == *' engine '* ]]; then
    go_program pulumi pulumi github.com/pulumi/pulumi/pkg/v3/cmd/pulumi
    go_program pulumi-language-yaml pulumi-yaml github.com/pulumi/pulumi-yaml/cmd/pulumi-language-yaml
  fi
}

programs "$@" &
system_packages
emulators &
machine
wait
exit 0
