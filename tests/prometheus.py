"""Prometheus and promtool for tests: installed, or taken from Debian's package by tools/prometheus.sh."""

import os
import shutil

from shared.settings import ROOT

_PATH = os.pathsep.join([str(ROOT / ".prometheus"), os.environ.get("PATH", os.defpath)])
PROMETHEUS = shutil.which("prometheus", path=_PATH)
PROMTOOL = shutil.which("promtool", path=_PATH)
MISSING = "Prometheus is not there, and tools/prometheus.sh could not fetch it (apt-get install prometheus)"
