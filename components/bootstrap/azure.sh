# shellcheck shell=bash
# Azure: the scale set's managed identity. Tokens reach curl by its standard input only.
IMDS=http://169.254.169.254

imds() {
  curl -sS -f --noproxy '*' -m 10 -H 'Metadata: true' "$IMDS/metadata/$1"
}

# identity_token RESOURCE: the identity's token for one kind of service.
identity_token() {
  local answer
  answer=$(imds "identity/oauth2/token?api-version=2018-02-01&client_id=$IDENTITY_CLIENT_ID&resource=$1") || return 1
  json_text access_token <<<"$answer"
}

# authorized OUT RESOURCE CURL-ARGUMENT…
authorized() {
  local out=$1 resource=$2 token
  shift 2
  token=$(identity_token "$resource") || return 1
  printf 'header = "Authorization: Bearer %s"\n' "$token" | request "$out" --config - "$@"
}

# Tokens are made for the domain of all vaults, which differs between Azure's clouds.
fetch_secret() {
  local answer=$WORK/answer host=${1#https://}
  host=${host%%/*}
  authorized "$answer" "https://${host#*.}" "$1?api-version=7.4" || return 1
  json_text value <"$answer" >"$2" || { echo 'the secret has no text' >&2; return 1; }
  rm -f "$answer"
}

fetch_object() {
  authorized "$2" https://storage.azure.com/ -H 'x-ms-version: 2021-08-06' "$1"
}

# A registry exchanges the identity's token for one of its own, and wants to know the tenant, which the token names.
registry_login() {
  local token claims tenant answer=$WORK/answer
  token=$(identity_token https://containerregistry.azure.net/) || return 1
  claims=$(cut -d . -f 2 <<<"$token" | tr -- '-_' '+/')
  while [ $((${#claims} % 4)) != 0 ]; do claims=$claims=; done
  tenant=$(base64 -d <<<"$claims" | json_text tid) || { echo 'the token names no tenant' >&2; return 1; }
  printf 'data = "access_token=%s"\n' "$token" |
    request "$answer" --config - --data "grant_type=access_token&service=$1&tenant=$tenant" "https://$1/oauth2/exchange" || return 1
  username=00000000-0000-0000-0000-000000000000
  secret=$(json_text refresh_token <"$answer") || { echo 'the answer has no token' >&2; return 1; }
}

instance_metadata() {
  local compute
  compute=$(imds 'instance/compute?api-version=2021-02-01') || return 1
  vm_resource_id=$(json_text resourceId <<<"$compute") || return 1
  vmss_name=$(json_text vmScaleSetName <<<"$compute") || return 1
  export SPACELIFT_METADATA_vm_resource_id=$vm_resource_id SPACELIFT_METADATA_vmss_name=$vmss_name
  export SPACELIFT_METADATA_instance_id=${vm_resource_id##*/}
  export SPACELIFT_METADATA_asg_id=${vm_resource_id%/virtualMachines/*}
}

# Takes off what a launcher that is no more has left: a protected machine is not replaced.
release() {
  local compute manager=https://management.azure.com
  if [ ! -e /var/lib/poolwright/protected ]; then return 0; fi
  compute=$(imds 'instance/compute?api-version=2021-02-01') || return 1
  case $(json_text azEnvironment <<<"$compute") in
    AzureUSGovernmentCloud) manager=https://management.usgovcloudapi.net ;;
    AzureChinaCloud) manager=https://management.chinacloudapi.cn ;;
  esac
  authorized "$WORK/answer" "$manager/" --max-time 60 -X PUT -H 'Content-Type: application/json' \
    --data "{\"location\":\"$(json_text location <<<"$compute")\",\"properties\":{\"protectionPolicy\":{\"protectFromScaleIn\":false,\"protectFromScaleSetActions\":false}}}" \
    "$manager$(json_text resourceId <<<"$compute")?api-version=2024-07-01" || return 1
  rm -f /var/lib/poolwright/protected
}

# The metadata service and the ports of the host's agent that hand out certificates; not its name service.
metadata_service() {
  echo '169.254.169.254 80'
  echo '168.63.129.16 80'
  echo '168.63.129.16 32526'
}
