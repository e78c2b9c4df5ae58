#!/usr/bin/env bash
# Proves the image: builds it around a program that is built already, and runs it as it is meant to run: not as root, on a
# read-only root, without capabilities. image_test.sh PAGEMILL; as root on Debian, with docker.io and debootstrap.
#
# No registry is needed: the base is made by debootstrap, and a Docker daemon of its own is started and ended.
set -euo pipefail
program=$(realpath "$1")
cd "$(dirname "$0")/.."
place=$(mktemp -d)
docker=(/usr/bin/docker --host "unix://$place/docker.sock")
hardened=(--read-only --tmpfs "/tmp:size=256m" --cap-drop ALL --security-opt no-new-privileges)

finish() {
    local status=$?
    [[ -s $place/docker.pid ]] && kill "$(<"$place/docker.pid")" && wait
    ((status == 0)) || tail -n 20 "$place/dockerd.log" >&2
    rm -rf "$place"
}
trap finish EXIT

say() {
    echo "image: $1"
}

say "starts a Docker daemon of its own"
dockerd --host "unix://$place/docker.sock" --data-root "$place/data" --exec-root "$place/exec" \
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
mkdir "$place/context"
cp deploy/image/health "$place/context/"
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
"${docker[@]}" run --rm "${hardened[@]}" -v "$place/scans:/scans:ro" --tmpfs /out:uid=10001 pagemill ocr /scans -o /out/a --formats pdf,txt

say "is healthy as a coordinator, and unhealthy when it serves no more"
"${docker[@]}" run -d --name coordinator "${hardened[@]}" --tmpfs /var/lib/pagemill:uid=10001 --health-interval 1s --health-start-period 1s \
    -e PAGEMILL_STORE_URL=sqlite:/var/lib/pagemill/state.db -e PAGEMILL_QUEUE_URL=amqp://127.0.0.1:5672 \
    -e PAGEMILL_BLOBS_URL=file:/var/lib/pagemill -e PAGEMILL_HTTP_LISTEN=0.0.0.0:7071 pagemill coordinator >/dev/null
state=""
for _ in $(seq 60); do
    state=$("${docker[@]}" inspect -f '{{.State.Health.Status}}' coordinator)
    [[ $state == healthy ]] && break
    sleep 1
done
[[ $state == healthy ]] || { "${docker[@]}" logs coordinator && exit 1; }
"${docker[@]}" exec coordinator bash -c 'PAGEMILL_HTTP_LISTEN=0.0.0.0:7999 pagemill-health' 2>/dev/null && say "is always healthy" && exit 1
"${docker[@]}" stop -t 20 coordinator >/dev/null
[[ $("${docker[@]}" inspect -f '{{.State.ExitCode}}' coordinator) == 0 ]] || { "${docker[@]}" logs coordinator && exit 1; }
say "all is well"
