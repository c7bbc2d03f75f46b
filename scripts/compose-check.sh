#!/usr/bin/env bash
# Checks docker-compose.yml and the scripts that it mounts, without a Docker daemon.
set -euo pipefail
cd "$(dirname "$0")/.."

for script in compose/*.sh; do
    sh -n "$script"
done

if command -v docker-compose >/dev/null; then
    docker-compose --file docker-compose.yml config --quiet
elif docker compose version >/dev/null 2>&1; then
    docker compose --file docker-compose.yml config --quiet
else
    echo "skipped: docker-compose.yml is not checked without docker-compose (Debian: apt-get install docker-compose)" >&2
    exit 0
fi
echo "docker-compose.yml is well formed"
