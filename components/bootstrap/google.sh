# shellcheck shell=bash
# Google Cloud: the instance's service account. Tokens reach curl by its standard input only.
IMDS=http://169.254.169.254

imds() {
  curl -sS -f --noproxy '*' -m 10 -H 'Metadata-Flavor: Google' "$IMDS/computeMetadata/v1/$1"
}

# authorized OUT CURL-ARGUMENT…
authorized() {
  local out=$1 answer
  shift
  answer=$(imds instance/service-accounts/default/token) || return 1
  printf 'header = "Authorization: Bearer %s"\n' "$(json_text access_token <<<"$answer")" |
    request "$out" --config - "$@"
}

fetch_secret() {
  local answer=$WORK/answer
  authorized "$answer" "https://secretmanager.googleapis.com/v1/$1/versions/latest:access" || return 1
  json_text data <"$answer" | base64 -d >"$2" || { echo 'the secret has no text' >&2; return 1; }
  rm -f "$answer"
}

fetch_object() {
  authorized "$2" "$1"
}

registry_login() {
  local answer
  answer=$(imds instance/service-accounts/default/token) || return 1
  username=oauth2accesstoken
  secret=$(json_text access_token <<<"$answer") || { echo 'the answer has no token' >&2; return 1; }
}

instance_metadata() {
  local zone type project
  gcp_instance_name=$(imds instance/name) || return 1
  zone=$(imds instance/zone) || return 1
  type=$(imds instance/machine-type) || return 1
  project=$(imds project/project-id) || return 1
  gcp_zone=${zone##*/}
  gcp_igm_id=$(imds instance/attributes/created-by 2>/dev/null) || gcp_igm_id=
  # The service names the project by its number; tools expect its id.
  if [ -n "$gcp_igm_id" ]; then gcp_igm_id=projects/$project/${gcp_igm_id#projects/*/}; fi
  export SPACELIFT_METADATA_gcp_instance_id=projects/$project/zones/$gcp_zone/instances/$gcp_instance_name
  export SPACELIFT_METADATA_gcp_igm_id=$gcp_igm_id SPACELIFT_METADATA_gcp_instance_name=$gcp_instance_name
  export SPACELIFT_METADATA_gcp_zone=$gcp_zone SPACELIFT_METADATA_gcp_machine_type=${type##*/}
  export SPACELIFT_METADATA_cloud_provider=gcp
}

# Nobody waits for a machine here, and nothing protects it.
release() {
  return 0
}

# Name service and time of the instance are at the same address, on other ports.
metadata_service() {
  echo '169.254.169.254 80'
  echo 'fd20:ce::254 80'
}
