#!/bin/sh
# A request signed as RFC 9421 says, with curl and openssl alone.
#
#   openssl genpkey -algorithm ed25519 -out signing.pem
#   openssl pkey -in signing.pem -pubout          # `signing_key` of POST /v1/keys
#   signed-request.sh METHOD URL [BODY]
#
# takes MILLRACE_KEY (the secret), MILLRACE_KEY_ID (`key_...`) and SIGNING_KEY (the file).
set -eu
method=$1 url=$2 body=${3-}

target=/${url#*://*/}
path=${target%%\?*}
case $target in *\?*) query=?${target#*\?} ;; *) query=? ;; esac

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
covered='"@method" "@path" "@query"'
printf '"@method": %s\n"@path": %s\n"@query": %s\n' "$method" "$path" "$query" >"$work/base"
set -- -X "$method" -H "Authorization: Bearer $MILLRACE_KEY"
if [ -n "$body" ]; then
    digest="sha-256=:$(printf %s "$body" | openssl dgst -sha256 -binary | openssl base64 -A):"
    covered="$covered \"content-digest\""
    printf '"content-digest": %s\n' "$digest" >>"$work/base"
    set -- "$@" -H "Content-Digest: $digest" -H 'Content-Type: application/json' --data-raw "$body"
fi
params="($covered);created=$(date +%s);keyid=\"$MILLRACE_KEY_ID\";nonce=\"$(openssl rand -hex 16)\";alg=\"ed25519\""
printf '"@signature-params": %s' "$params" >>"$work/base"
openssl pkeyutl -sign -rawin -inkey "$SIGNING_KEY" -in "$work/base" -out "$work/signature"
signature=$(openssl base64 -A -in "$work/signature")

curl -sS "$@" -H "Signature-Input: sig=$params" -H "Signature: sig=:$signature:" "$url"
