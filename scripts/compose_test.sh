#!/usr/bin/env bash
# Proves deploy/compose/compose.yaml: starts it as it stands, has it read a page, looks at its health, its figures and its end.
# compose_test.sh FOLDER SCANS RESULT: works in FOLDER, and RESULT is what SCANS have to become. image_test.sh calls it, with
# the images debian:bookworm-slim and pagemill in the daemon at DOCKER_HOST.
#
# No registry is needed: the services' images are made of Debian's packages (compose/Dockerfile). Grafana is in none of them, and
# is left out.
set -euo pipefail
place=$1 scans=$2 result=$3
cd "$(dirname "$0")/.."
cache=${XDG_CACHE_HOME:-$HOME/.cache}/pagemill
services=(coordinator worker prometheus)

say() {
    echo "compose: $1"
}

say "makes images of the services"
mkdir -p "$place/context"
cp scripts/compose/* "$cache/services/bin/weed" "$place/context/"
for name in rabbitmq postgres s3 prometheus; do
    DOCKER_BUILDKIT=0 /usr/bin/docker build -q --target "$name" -t "stand-in-$name" "$place/context" >/dev/null
    export "${name^^}_IMAGE=stand-in-$name"
done

cp -r deploy "$place/deploy"
compose=(env "DOCKER_CONFIG=$cache/docker" /usr/bin/docker compose -f "$place/deploy/compose/compose.yaml")
finish() {
    local status=$?
    ((status == 0)) || "${compose[@]}" logs --tail 20 >&2 || true
    "${compose[@]}" --profile client down -v -t 1 2>/dev/null
}
trap finish EXIT

say "starts, until all are healthy"
"$place/deploy/compose/secrets.sh" 2>/dev/null
"${compose[@]}" up -d --wait --no-build "${services[@]}" 2>/dev/null

say "reads a page: the same bytes"
install -d -o 10001 "$place/out"
"${compose[@]}" run --rm -v "$scans:/scans:ro" -v "$place/out:/out" pagemill submit /scans --wait -o /out/c --formats pdf,txt
for file in "$result"/*.{pdf,txt}; do
    cmp "$file" "$place/out/c/${file##*/}"
done

say "scales, and every one is watched"
"${compose[@]}" up -d --wait --no-build --scale worker=3 worker 2>/dev/null
# A coordinator, three workers, the broker.
for _ in $(seq 60); do
    up=$(curl -sf 'http://127.0.0.1:9090/api/v1/query?query=sum(up)' | grep -o '"[0-9]*"\]' || true)
    [[ $up == '"5"]' ]] && break
    sleep 1
done
[[ $up == '"5"]' ]] || { say "sees ${up:-nothing} instead of five" && exit 1; }
firing=$(curl -sf 'http://127.0.0.1:9090/api/v1/query?query=ALERTS%7Balertstate=%22firing%22%7D' | grep -o 'alertname":"[^"]*"' || true)
[[ -z $firing ]] || { say "alerts: $firing" && exit 1; }

say "keeps what it has over an end in good order"
"${compose[@]}" stop 2>/dev/null
ends=$("${compose[@]}" ps -a --format '{{.Service}} {{.ExitCode}}' | grep -v ' 0$' || true)
[[ -z $ends ]] || { say "does not end in good order: $ends" && exit 1; }
"${compose[@]}" up -d --wait --no-build "${services[@]}" 2>/dev/null
"${compose[@]}" run --rm pagemill verify 1
say "all is well, but that Grafana was left out"
