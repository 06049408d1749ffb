# shellcheck shell=bash
# EC2: the instance's role, by version 2 of the metadata service. Credentials reach curl by its standard input only.
IMDS=http://169.254.169.254

imds() {
  local token
  token=$(curl -sS -f --noproxy '*' -m 5 -X PUT -H 'X-aws-ec2-metadata-token-ttl-seconds: 300' "$IMDS/latest/api/token") || return 1
  printf 'header = "X-aws-ec2-metadata-token: %s"\n' "$token" |
    curl -sS -f --noproxy '*' -m 5 --config - "$IMDS/latest/$1"
}

# signed OUT SERVICE REGION CURL-ARGUMENT…
signed() {
  local out=$1 service=$2 region=$3 role identity
  shift 3
  role=$(imds meta-data/iam/security-credentials/) || return 1
  identity=$(imds "meta-data/iam/security-credentials/$role") || return 1
  {
    printf 'user = "%s:%s"\n' "$(json_text AccessKeyId <<<"$identity")" "$(json_text SecretAccessKey <<<"$identity")"
    printf 'header = "x-amz-security-token: %s"\n' "$(json_text Token <<<"$identity")"
  } | request "$out" --config - --aws-sigv4 "aws:amz:$region:$service" "$@"
}

# The endpoint of a service in the partition and region of an ARN.
endpoint_of() {
  local partition region suffix=amazonaws.com
  IFS=: read -r _ partition _ region _ <<<"$2"
  if [ "$partition" = aws-cn ]; then suffix=amazonaws.com.cn; fi
  printf 'https://%s.%s.%s' "$1" "$region" "$suffix"
}

fetch_secret() {
  local arn=$1 out=$2 region answer=$WORK/answer
  IFS=: read -r _ _ _ region _ <<<"$arn"
  signed "$answer" secretsmanager "$region" \
    -H 'Content-Type: application/x-amz-json-1.1' -H 'X-Amz-Target: secretsmanager.GetSecretValue' \
    --data "{\"SecretId\":\"$arn\"}" "$(endpoint_of secretsmanager "$arn")" || return 1
  json_text SecretString <"$answer" >"$out" || { echo 'the secret has no text' >&2; return 1; }
  rm -f "$answer"
}

# The hash is that of no body: it is what a GET has, and every version of curl signs it.
fetch_object() {
  local region
  region=$(imds meta-data/placement/region) || return 1
  signed "$2" s3 "$region" -H 'x-amz-content-sha256: e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855' "$1"
}

# Of a registry ACCOUNT.dkr.ecr.REGION.SUFFIX. What comes back is base64 of "AWS:password", good for twelve hours.
registry_login() {
  local region suffix answer=$WORK/answer
  IFS=. read -r _ _ _ region suffix <<<"$1"
  signed "$answer" ecr "$region" -H 'Content-Type: application/x-amz-json-1.1' \
    -H 'X-Amz-Target: AmazonEC2ContainerRegistry_V20150921.GetAuthorizationToken' \
    --data '{}' "https://api.ecr.$region.$suffix" || return 1
  secret=$(json_text authorizationToken <"$answer" | base64 -d) || { echo 'the answer has no token' >&2; return 1; }
  username=${secret%%:*}
  secret=${secret#*:}
}

instance_metadata() {
  instance_id=$(imds meta-data/instance-id) || return 1
  ami_id=$(imds meta-data/ami-id) || return 1
  asg_id=$(imds meta-data/tags/instance/aws:autoscaling:groupName 2>/dev/null) || asg_id=
  export SPACELIFT_METADATA_instance_id=$instance_id SPACELIFT_METADATA_ami_id=$ami_id SPACELIFT_METADATA_asg_id=$asg_id
}

# Lets a group go on that waits for a launcher which is no more.
release() {
  local region group instance domain
  if [ -z "$LIFECYCLE_HOOK" ] || [ "$(imds meta-data/autoscaling/target-lifecycle-state)" != Terminated ]; then return 0; fi
  region=$(imds meta-data/placement/region) || return 1
  domain=$(imds meta-data/services/domain) || return 1
  instance=$(imds meta-data/instance-id) || return 1
  group=$(imds meta-data/tags/instance/aws:autoscaling:groupName) || return 1
  signed "$WORK/answer" autoscaling "$region" --max-time 20 \
    --data "Action=CompleteLifecycleAction&Version=2011-01-01&LifecycleActionResult=CONTINUE" \
    --data-urlencode "AutoScalingGroupName=$group" --data-urlencode "LifecycleHookName=$LIFECYCLE_HOOK" \
    --data-urlencode "InstanceId=$instance" "https://autoscaling.$region.$domain/"
}

# Where runs must not get to, as "address port".
metadata_service() {
  echo '169.254.169.254 80'
  echo 'fd00:ec2::254 80'
}
