#!/bin/sh
# Makes .venv with Python 3.13 and the pinned requirements; quick when there is nothing to do.
# Usage: tools/setup.sh [dev|test]
#   dev   adds what lint and type checks need
#   test  adds what tests run beside the app, where Node.js and apt are there: Azurite, the widget's packages, a parser of
#         Kusto queries, a browser, Prometheus
set -eu
cd "$(dirname "$0")/.."

stamp() { echo ".venv/.$1-$(cksum <"$1" | tr -d ' ')"; }

wanted=requirements.txt
[ -n "${1:-}" ] && wanted="requirements.txt requirements-dev.txt"

node_packages() {
    installed="$1/node_modules/.installed-$(cksum <"$1/package-lock.json" | tr -d ' ')"
    [ -e "$installed" ] && return
    echo "Installing the Node.js packages of $1"
    npm ci --prefix "$1" --ignore-scripts --no-audit --no-fund --loglevel=error
    touch "$installed"
}

if [ "${1:-}" = test ]; then
    if command -v npm >/dev/null 2>&1; then
        node_packages emulators/azurite
        node_packages widget
        node_packages tests/infra/kql
    fi
    tools/chromium.sh >/dev/null || true # the tests that need one say so
    tools/prometheus.sh >/dev/null || true # they too
fi

missing=""
for file in $wanted; do [ -e "$(stamp "$file")" ] || missing="$missing $file"; done
[ -z "$missing" ] && exit 0

is_313() { "$1" -c 'import sys, venv; sys.exit(sys.version_info[:2] != (3, 13))' >/dev/null 2>&1; }

find_python() {
    # A name on PATH may be a shim that does not run: each candidate has to prove itself.
    for candidate in python3.13 python3 python \
        "${PYENV_ROOT:-$HOME/.pyenv}"/versions/3.13*/bin/python \
        "$(uv python find 3.13 2>/dev/null || true)" \
        /opt/homebrew/bin/python3.13 /usr/local/bin/python3.13; do
        if [ -n "$candidate" ] && command -v "$candidate" >/dev/null 2>&1 && is_313 "$candidate"; then
            echo "$candidate"
            return
        fi
    done
    return 1
}

if ! is_313 .venv/bin/python; then
    if ! python=$(find_python); then
        echo "Python 3.13 is needed, and none was found on PATH, under pyenv or by uv." >&2
        echo "Install it with one of:  uv python install 3.13   |   pyenv install 3.13" >&2
        echo "or from your system's packages or python.org, and run this again." >&2
        exit 1
    fi
    echo "Making .venv with $("$python" --version)"
    rm -rf .venv
    "$python" -m venv .venv
fi
[ -x .venv/bin/uv ] || .venv/bin/python -m pip install --quiet --disable-pip-version-check uv==0.13.9
echo "Installing$missing (the first time about 600 MB)"
for file in $missing; do
    .venv/bin/uv pip install --quiet --python .venv/bin/python --requirement "$file"
    rm -f ".venv/.$file"-*
    touch "$(stamp "$file")"
done
