# shellcheck shell=bash
# How a client gets in: clouds.yaml, and OS_* variables for `eval`.

clouds_yaml() { # with the application credential as soon as there is one; replaced in one move
  local file=$STATE/clouds.yaml id secret
  cloud() { # cloud NAME USER PROJECT
    cat <<E
  $1:
    region_name: $REGION
    interface: public
    identity_api_version: 3
    auth_type: password
    auth:
      auth_url: $AUTH
      username: $2
      password: "$PASSWORD"
      project_name: $3
      user_domain_name: Default
      project_domain_name: Default
E
  }
  (umask 077 && {
    echo 'clouds:'
    cloud lab lab lab
    cloud lab-admin admin admin
    cloud lab-poor lab lab-poor
    cloud lab-other lab-other lab-other
    cloud lab-wrong-project lab lab-other
    if [[ -s $STATE/appcred ]]; then
      read -r id secret <"$STATE/appcred"
      cat <<E
  lab-appcred:
    region_name: $REGION
    interface: public
    identity_api_version: 3
    auth_type: v3applicationcredential
    auth:
      auth_url: $AUTH
      application_credential_id: $id
      application_credential_secret: "$secret"
E
    fi
  } >"$file.new")
  mv "$file.new" "$file"
}

print_env() { # print_env [member|appcred|admin|poor]
  local user=lab project=lab id secret lines=()
  [[ -s $STATE/appcred ]] || die 'the cloud has not been up yet: scripts/lab cloud up'
  case ${1:-member} in
    member | lab) ;;
    poor) project=lab-poor ;;
    admin) user=admin project=admin ;;
    appcred) ;;
    *)
      echo 'usage: scripts/lab cloud env [member|appcred|admin|poor]' >&2
      exit 2
      ;;
  esac
  lines=("OS_AUTH_URL=$AUTH" "OS_REGION_NAME=$REGION" OS_INTERFACE=public OS_IDENTITY_API_VERSION=3
    "OS_CLIENT_CONFIG_FILE=$STATE/clouds.yaml")
  if [[ ${1:-} == appcred ]]; then
    read -r id secret <"$STATE/appcred"
    lines+=(OS_AUTH_TYPE=v3applicationcredential
      "OS_APPLICATION_CREDENTIAL_ID=$id" "OS_APPLICATION_CREDENTIAL_SECRET=$secret")
  else
    lines+=(OS_AUTH_TYPE=password "OS_USERNAME=$user" "OS_PASSWORD=$PASSWORD" "OS_PROJECT_NAME=$project"
      OS_USER_DOMAIN_NAME=Default OS_PROJECT_DOMAIN_NAME=Default)
  fi
  # shellcheck disable=SC2016,SC2028
  echo 'unset $(env | sed -n "s/^\(OS_[A-Za-z0-9_]*\)=.*/\1/p")'
  printf 'export %q\n' "${lines[@]}"
}
