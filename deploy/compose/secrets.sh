#!/usr/bin/env bash
# Makes secrets/ and .env beside compose.yaml: passwords and tokens, once. Nothing is shown; what is there stays.
set -euo pipefail
cd "$(dirname "$0")"
umask 077
[[ -e .env ]] && {
    echo "secrets: .env is there already; delete it and secrets/ to begin anew" >&2
    exit 0
}

random() {
    od -An -N32 -tx1 /dev/urandom | tr -d ' \n'
}

mkdir -p secrets
: >secrets/tokens.toml
for role in admin worker; do
    random >"secrets/$role.token"
    hash=$(sha256sum "secrets/$role.token" | cut -d' ' -f1)
    printf '[[token]]\nname = "%s"\ntenant = "default"\nrole = "%s"\nsha256 = "%s"\n\n' "$role" "$role" "$hash" >>secrets/tokens.toml
done
# The containers' user has to read them; the folder keeps others out.
chmod 644 secrets/*
for name in RABBITMQ_PASSWORD POSTGRES_PASSWORD S3_SECRET GRAFANA_PASSWORD; do
    echo "$name=$(random)"
done >.env
echo "secrets: made .env and secrets/"
