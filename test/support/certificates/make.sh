#!/bin/sh
# Makes the certificates again; README.md says what they are. Needs openssl 3.
set -eu
cd "$(dirname "$0")"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
DAYS=36500

# authority NAME
authority() {
  openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days $DAYS \
    -subj "/CN=mouthpiece test $1" -keyout "$work/$1.key" -out "$1.pem" \
    -addext "basicConstraints=critical,CA:TRUE" -addext "keyUsage=critical,keyCertSign"
}

# leaf NAME AUTHORITY COMMON_NAME PURPOSE SAN
leaf() {
  openssl req -new -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes \
    -subj "/CN=$3" -keyout "$1.key" -out "$work/$1.csr"
  printf 'basicConstraints=CA:FALSE\nkeyUsage=digitalSignature\nextendedKeyUsage=%s\nsubjectAltName=%s\n' \
    "$4" "$5" >"$work/$1.ext"
  openssl x509 -req -in "$work/$1.csr" -CA "$2.pem" -CAkey "$work/$2.key" -CAcreateserial \
    -CAserial "$work/serial" -days $DAYS -extfile "$work/$1.ext" -out "$1.pem"
}

authority ca
authority other-ca
leaf server ca localhost serverAuth "DNS:localhost,IP:127.0.0.1,IP:::1"
leaf renewed-server ca localhost serverAuth "DNS:localhost,IP:127.0.0.1,IP:::1"
leaf client ca edge clientAuth "DNS:edge"
leaf other-client other-ca stranger clientAuth "DNS:stranger"
