#!/usr/bin/env bash
# Brings the real parts that tests use into .tools/ and, on Debian as root, the system packages.
# What cannot be had is said and left out; the tests then skip what needs it and say so.
set -uo pipefail
cd "$(dirname "$0")/../.." || exit 1
mkdir -p .tools/bin

say() { printf '%s\n' "$*" >&2; }

packages=(docker.io busybox-static chromium git openssl python3-venv binutils binutils-aarch64-linux-gnu
  shellcheck debootstrap gpg etcd-server postgresql mosquitto libdeflate-tools libfaketime)
if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
  missing=()
  for package in "${packages[@]}"; do
    dpkg-query -W -f='${Status}' "$package" 2>/dev/null | grep -q 'ok installed' || missing+=("$package")
  done
  if [ "${#missing[@]}" -gt 0 ]; then
    say "installing ${missing[*]} …"
    if ! { apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}"; } >/dev/null; then
      say "not all of these packages could be installed: ${missing[*]}"
    fi
  fi
else
  say "not Debian as root: install these yourself if you want their suites: ${packages[*]}"
fi

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

# A Debian as clouds offer it, with the engine already there: machines boot from it in containers. The packages' archives
# stay in it, so that a machine can install them again without a network. cloud-init is there and stays away unless asked for.
machine=.tools/debian-12.tar
if [ ! -s $machine ]; then
  if [ "$(id -u)" = 0 ] && command -v debootstrap >/dev/null; then
    say 'making a Debian that boots (a minute or two, once) …'
    root=$(mktemp -d)
    if debootstrap --variant=minbase --include=systemd,systemd-sysv,dbus,curl,ca-certificates,openssl,iproute2,iptables,procps,git,docker.io,gpg,cloud-init,python3-cffi-backend bookworm "$root" >.tools/debootstrap.log 2>&1; then
      touch "$root/etc/cloud/cloud-init.disabled"
      tar -C "$root" -cf $machine.new . && mv $machine.new $machine
    else
      say "it could not be made: $(tail -n 1 .tools/debootstrap.log)"
    fi
    rm -rf --one-file-system "$root"
  else
    say 'no debootstrap or not root: machines are not booted'
  fi
fi

if [ ! -x .tools/bin/tofu ]; then
  if command -v go >/dev/null; then
    say 'building OpenTofu (some minutes, once) …'
    (cd test/tools/opentofu && CGO_ENABLED=0 go build -trimpath -ldflags '-s -w' -o ../../../.tools/bin/tofu github.com/opentofu/opentofu/cmd/tofu) ||
      say 'OpenTofu could not be built'
  else
    say 'no Go: OpenTofu is not built'
  fi
fi

# The API server of Kubernetes and its command line; the version is what clients are told.
kubernetes=v1.34.4
for program in kube-apiserver kubectl; do
  [ -x ".tools/bin/$program" ] && continue
  if command -v go >/dev/null; then
    say "building $program (some minutes, once) …"
    (cd test/tools/kubernetes && CGO_ENABLED=0 go build -trimpath -o "../../../.tools/bin/$program" -ldflags \
      "-s -w -X k8s.io/component-base/version.gitVersion=$kubernetes -X k8s.io/component-base/version.gitMajor=1 -X k8s.io/component-base/version.gitMinor=34" \
      "k8s.io/kubernetes/cmd/$program") || say "$program could not be built"
  else
    say "no Go: $program is not built"
  fi
done

# Renders the chart of the pool controller.
if [ ! -x .tools/bin/helm ]; then
  if command -v go >/dev/null; then
    say 'building Helm (a minute or two, once) …'
    (cd test/tools/helm && CGO_ENABLED=0 go build -trimpath -ldflags '-s -w' -o ../../../.tools/bin/helm helm.sh/helm/v3/cmd/helm) ||
      say 'Helm could not be built'
  else
    say 'no Go: Helm is not built'
  fi
fi

# The Pulumi engine and its reader of YAML, only when asked for (`npm run test:tools -- engine`): two long builds.
if [[ " $* " == *' engine '* ]]; then
  for tool in pulumi:github.com/pulumi/pulumi/pkg/v3/cmd/pulumi \
    pulumi-yaml:github.com/pulumi/pulumi-yaml/cmd/pulumi-language-yaml; do
    program=$(basename "${tool#*:}")
    [ -x ".tools/bin/$program" ] && continue
    say "building $program (some minutes, once) …"
    (cd "test/tools/${tool%%:*}" && CGO_ENABLED=0 go build -trimpath -ldflags '-s -w' -o "../../../.tools/bin/$program" "${tool#*:}") ||
      say "$program could not be built"
  done
fi
exit 0
