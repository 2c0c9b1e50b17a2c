#!/bin/sh
# Installs PostgreSQL, Redis and Prometheus where they are missing. The tests start private instances of their own: nothing
# here starts a service.
set -eu

has() {
    for place in "" /usr/bin/ /usr/local/bin/ /opt/homebrew/bin/; do
        command -v "$place$1" >/dev/null 2>&1 && return 0
    done
    for found in /usr/lib/postgresql/*/bin/"$1" /opt/homebrew/opt/postgresql*/bin/"$1" /usr/local/opt/postgresql*/bin/"$1"; do
        [ -x "$found" ] && return 0
    done
    return 1
}

missing=
{ has initdb && has postgres; } || missing="$missing postgresql"
has redis-server || has valkey-server || missing="$missing redis"
{ has prometheus && has promtool; } || missing="$missing prometheus"
[ -n "$missing" ] || exit 0
echo "installing:$missing"

as_root() {
    if [ "$(id -u)" -eq 0 ]; then "$@"; else sudo "$@"; fi
}

by_hand() {
    echo "could not install:$missing. Install these with your system's package manager, or put initdb and postgres, redis-server," >&2
    echo "prometheus and promtool (https://prometheus.io/download) on the PATH, then try again." >&2
    exit 1
}

if command -v apt-get >/dev/null 2>&1; then
    packages=$(echo "$missing" | sed 's/redis/redis-server/')
    as_root apt-get update -q || by_hand
    # Without a cluster of the system's own: Debian would make one and start it.
    as_root mkdir -p /etc/postgresql-common/createcluster.d
    echo "create_main_cluster = false" | as_root tee /etc/postgresql-common/createcluster.d/posthaste.conf >/dev/null
    # RUNLEVEL=1: invoke-rc.d starts nothing in single-user mode.
    # shellcheck disable=SC2086
    as_root env DEBIAN_FRONTEND=noninteractive RUNLEVEL=1 apt-get install -q -y --no-install-recommends $packages || by_hand
elif command -v brew >/dev/null 2>&1; then
    # shellcheck disable=SC2086
    brew install $(echo "$missing" | sed 's/postgresql/postgresql@17/') || by_hand
else
    by_hand
fi
