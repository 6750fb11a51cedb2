#!/bin/sh
# Before azd packs the app: says in the package which build it is, as `GET /health/` then tells. The file goes again after packing.
set -eu
git describe --always --dirty --abbrev=12 --exclude '*' >BUILD
