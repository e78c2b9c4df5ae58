#!/usr/bin/env bash
# Proves the image: builds it around a program that is built already, and runs it as it is meant to run: not as root, on a
# read-only root, without capabilities. image_test.sh PAGEMILL; as root on Debian, with docker.io and debootstrap.
#
# No registry is needed: the base is made by debootstrap, and a Docker daemon of its own is started and ended. The broker is
# one of Debian's, in an image of its own.
set -euo pipefail
program=$(realpath "$1")
cd "$(dirname "$0")/.."
place=$(mktemp -d)
export DOCKER_HOST=unix://$place/docker.sock
docker=(/usr/bin/docker)
hardened=(--read-only --tmpfs "/tmp:size=256m" --cap-drop ALL --security-opt no-new-privileges)

finish() {
    local status=$?
    ((status == 0)) || tail -n 20 "$place/dockerd.log" >&2
    # What runs has to end before its daemon, which would wait for it.
    "${docker[@]}" ps -q | xargs -r "${docker[@]}" rm -f >/dev/null
    [[ -s $place/docker.pid ]] && kill "$(<"$place/docker.pid")" && wait
    rm -rf "$place"
}
trap finish EXIT

say() {
    echo "image: $1"
}

say "starts a Docker daemon of its own"
dockerd --host "$DOCKER_HOST" --data-root "$place/data" --exec-root "$place/exec" \
    --pidfile "$place/docker.pid" --bip 10.213.0.1/24 >"$place/dockerd.log" 2>&1 &
until "${docker[@]}" version >/dev/null 2>&1; do
    kill -0 $! # It is still there.
    sleep 0.2
done

say "makes the base image"
debootstrap --variant=minbase bookworm "$place/root" >"$place/debootstrap.log"
tar -C "$place/root" -c . | "${docker[@]}" import - debian:bookworm-slim >/dev/null
rm -rf "$place/root"

say "builds, with the classic builder"
install -D -t "$place/context/deploy/image" deploy/image/pagemill-health
strip -o "$place/context/pagemill" "$program"
DOCKER_BUILDKIT=0 "${docker[@]}" build -q -f deploy/image/Dockerfile --target prebuilt -t pagemill "$place/context"
"${docker[@]}" images pagemill

say "runs: version, user, root file system, sandbox"
"${docker[@]}" run --rm "${hardened[@]}" pagemill --version
user=$("${docker[@]}" run --rm "${hardened[@]}" --entrypoint id pagemill -u)
[[ $user == 10001 ]] || { say "runs as $user" && exit 1; }
if "${docker[@]}" run --rm "${hardened[@]}" --entrypoint touch pagemill /x 2>/dev/null; then
    say "writes its root" && exit 1
fi
findings=$("${docker[@]}" run --rm "${hardened[@]}" pagemill doctor -o /tmp -l vie+eng)
for wanted in models landlock seccomp; do
    grep -E "^ok .*$wanted" <<<"$findings" || { echo "$findings" && exit 1; }
done

say "reads a page"
mkdir "$place/scans"
cp samples/d05-1.jpg "$place/scans/"
chmod -R a+rX "$place/scans" && chmod a+x "$place"
install -d -o 10001 "$place/out"
"${docker[@]}" run --rm "${hardened[@]}" -v "$place/scans:/scans:ro" -v "$place/out:/out" pagemill ocr /scans -o /out/a --formats pdf,txt

say "starts a broker"
mkdir "$place/broker"
printf 'listeners.tcp.default = 5672\nloopback_users = none\n' >"$place/broker/rabbitmq.conf"
cat >"$place/broker/Dockerfile" <<'DOCKERFILE'
FROM debian:bookworm-slim
RUN apt-get update && apt-get install -y --no-install-recommends rabbitmq-server
COPY rabbitmq.conf /etc/rabbitmq/
USER rabbitmq
ENTRYPOINT ["/usr/lib/rabbitmq/bin/rabbitmq-server"]
DOCKERFILE
DOCKER_BUILDKIT=0 "${docker[@]}" build -q -t broker "$place/broker"
"${docker[@]}" network create cluster >/dev/null
"${docker[@]}" run -d --name broker --hostname broker --network cluster broker >/dev/null

# Starts a role as the Compose file does, with blobs in a folder that all share.
start_role() {
    local name=$1
    shift
    "${docker[@]}" run -d --name "$name" --network cluster "${hardened[@]}" -v blobs:/var/lib/pagemill -v /var/cache/pagemill \
        --health-interval 1s --health-start-period 1s -e PAGEMILL_LOG=info -e PAGEMILL_QUEUE_URL=amqp://guest:guest@broker:5672 \
        -e PAGEMILL_BLOBS_URL=file:/var/lib/pagemill "$@" >/dev/null
}

becomes() {
    local name=$1 wanted=$2 state=""
    for _ in $(seq 120); do
        state=$("${docker[@]}" inspect -f '{{.State.Health.Status}}' "$name")
        [[ $state == "$wanted" ]] && return 0
        sleep 1
    done
    say "$name is $state instead of $wanted"
    "${docker[@]}" logs "$name" && exit 1
}

say "is healthy as a coordinator and as a worker"
openssl rand -hex 32 | tr -d '\n' >"$place/token"
printf '[[token]]\nname = "all"\ntenant = "default"\nrole = "admin"\nsha256 = "%s"\n' \
    "$(sha256sum <"$place/token" | cut -d' ' -f1)" >"$place/tokens.toml"
chmod a+r "$place/token" "$place/tokens.toml"
start_role coordinator -v "$place/tokens.toml:/run/tokens.toml:ro" -e PAGEMILL_TOKENS_FILE=/run/tokens.toml \
    -e PAGEMILL_ALLOW_PLAINTEXT=true -e PAGEMILL_STORE_URL=sqlite:/var/lib/pagemill/state.db \
    -e PAGEMILL_GRPC_LISTEN=0.0.0.0:7070 -e PAGEMILL_HTTP_LISTEN=0.0.0.0:7071 pagemill coordinator
becomes coordinator healthy
as_client=(-v "$place/token:/run/token:ro" -e PAGEMILL_TOKEN_FILE=/run/token -e PAGEMILL_COORDINATOR_URL=http://coordinator:7070)
start_role worker "${as_client[@]}" -e PAGEMILL_HTTP_LISTEN=0.0.0.0:7072 pagemill worker
becomes worker healthy

say "reads a page as a cluster: the same bytes"
"${docker[@]}" run --rm --network cluster "${hardened[@]}" "${as_client[@]}" -v "$place/scans:/scans:ro" -v "$place/out:/out" \
    pagemill submit /scans --wait -o /out/b --formats pdf,txt
cmp "$place/out/a/d05-1.pdf" "$place/out/b/d05-1.pdf"
cmp "$place/out/a/d05-1.txt" "$place/out/b/d05-1.txt"

say "ends in good order, and is unhealthy when it serves no more"
"${docker[@]}" exec coordinator bash -c 'PAGEMILL_HTTP_LISTEN=0.0.0.0:7999 pagemill-health' 2>/dev/null && say "is always healthy" && exit 1
for name in worker coordinator; do
    "${docker[@]}" stop -t 30 "$name" >/dev/null
    [[ $("${docker[@]}" inspect -f '{{.State.ExitCode}}' "$name") == 0 ]] || { "${docker[@]}" logs "$name" && exit 1; }
done
"${docker[@]}" rm worker coordinator >/dev/null
"${docker[@]}" rm -f broker >/dev/null

scripts/compose_test.sh "$place/compose" "$place/scans" "$place/out/a"
say "all is well"
