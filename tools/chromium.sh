#!/bin/sh
# Prints the path of a Chromium or Chrome for the browser tests. Where there is none and apt may install one, it does.
set -eu

find_browser() {
    for name in chromium chromium-browser google-chrome-stable google-chrome; do
        command -v "$name" && return
    done
    for path in "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome" /Applications/Chromium.app/Contents/MacOS/Chromium; do
        [ -x "$path" ] && echo "$path" && return
    done
    return 1
}

find_browser && exit 0
if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null 2>&1; then
    echo "Installing chromium by apt" >&2
    (apt-get -qq update && DEBIAN_FRONTEND=noninteractive apt-get -qq install -y --no-install-recommends chromium) >/dev/null 2>&1 || true
fi
find_browser || {
    echo "No Chromium or Chrome was found, and apt could not install one. Install it: apt-get install chromium" >&2
    exit 1
}
