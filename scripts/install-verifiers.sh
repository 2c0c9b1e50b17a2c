#!/bin/sh
# Installs what tests/receivers, tests/conform.rs and tests/manifests need, in exact versions, into target/verifiers: a virtual environment of
# Python and the modules of Node. Does nothing where that is done already.
set -eu
cd "$(dirname "$0")/.."
place=target/verifiers

python=python3
"$python" -c 'import venv, ensurepip' 2>/dev/null || missing="python3 python3-venv"
command -v node >/dev/null 2>&1 && command -v npm >/dev/null 2>&1 || missing="${missing:-} nodejs npm"

if [ -n "${missing:-}" ]; then
    if ! command -v apt-get >/dev/null 2>&1; then
        echo "install these with your system's package manager, then try again: $missing" >&2
        exit 1
    fi
    echo "installing: $missing"
    as_root() {
        if [ "$(id -u)" -eq 0 ]; then "$@"; else sudo "$@"; fi
    }
    as_root apt-get update -q
    # shellcheck disable=SC2086
    if ! as_root env DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends $missing; then
        echo "install these by hand, then try again: apt-get install $missing" >&2
        exit 1
    fi
    # A Python from elsewhere that comes first on the PATH may still have no venv.
    "$python" -c 'import venv, ensurepip' 2>/dev/null || python=/usr/bin/python3
fi

mkdir -p "$place"
wanted=$(cat tests/receivers/requirements.txt tests/receivers/package.json tests/manifests/requirements.txt scripts/install-verifiers.sh | cksum)
[ "$(cat "$place/installed" 2>/dev/null)" != "$wanted" ] || exit 0

rm -rf "$place/venv" "$place/node_modules"
"$python" -m venv "$place/venv"
"$place/venv/bin/python" -m pip install --quiet --disable-pip-version-check \
    --requirement tests/receivers/requirements.txt --requirement tests/manifests/requirements.txt
cp tests/receivers/package.json "$place/package.json"
npm install --prefix "$place" --silent --no-audit --no-fund --no-package-lock --ignore-scripts
echo "$wanted" >"$place/installed"
