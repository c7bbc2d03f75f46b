#!/usr/bin/env bash
# Makes a Python environment of tests/clients once and prints its folder: venv.sh REQUIREMENTS SUITES
# It lies in ~/.cache/meshgate/venv, keyed by the pinned requirements and the Python version.
# Without Python it prints nothing, and says that SUITES are left out.
set -euo pipefail

root=$(cd "$(dirname "$0")/.." && pwd)
requirements=$root/tests/clients/$1
suites=$2
python=${PYTHON:-python3}
. "$root/scripts/need.sh"

# Who tests at home may do without, and is told so; CI may not.
python_needs() {
    if [ "$(id -u)" != 0 ] && [ -z "${CI:-}" ]; then
        echo "left out: the tests of $suites, since Python's \`$1\` is missing (package $2)" >&2
        exit 0
    fi
    need "$2"
}

command -v "$python" >/dev/null || python_needs "$python" python3
# ensurepip is what Debian splits off; without it venv makes an environment without pip.
"$python" -c 'import venv, ensurepip' 2>/dev/null || python_needs ensurepip python3-venv

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
