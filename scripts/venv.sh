#!/usr/bin/env bash
# Makes the Python environment of tests/clients once and prints its folder.
# It lies in ~/.cache/meshgate/venv, keyed by the pinned requirements and the Python version.
set -euo pipefail

root=$(cd "$(dirname "$0")/.." && pwd)
requirements=$root/tests/clients/requirements.txt
python=${PYTHON:-python3}
. "$root/scripts/need.sh"

command -v "$python" >/dev/null || need python3
# ensurepip is what Debian splits off; without it venv makes an environment without pip.
"$python" -c 'import venv, ensurepip' 2>/dev/null || need python3-venv

key=$({ "$python" -c 'import sys; print(sys.version_info[:2], sys.prefix)'; cat "$requirements"; } | sha256sum | cut -c1-16)
venv=${XDG_CACHE_HOME:-$HOME/.cache}/meshgate/venv/$key

if [ ! -e "$venv/.complete" ]; then
    rm -rf "$venv"
    mkdir -p "$(dirname "$venv")"
    "$python" -m venv "$venv" >&2
    "$venv/bin/pip" install --quiet --disable-pip-version-check --requirement "$requirements" >&2
    touch "$venv/.complete"
fi
echo "$venv"
