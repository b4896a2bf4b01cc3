#!/bin/sh
# Prints the Python that .venv is made with: python3, or the system's one if python3 was built without optimizations, as pyenv builds it by
# default. Such a one takes nearly twice the CPU for plain Python code, and a sixth more for the lab's services.
optimized='import sys, sysconfig; sys.exit("--enable-optimizations" not in (sysconfig.get_config_var("CONFIG_ARGS") or ""))'
usable='import ensurepip, sys, sysconfig, pathlib as p; h = sysconfig.get_path("include"); sys.exit(sys.version_info < (3, 11) or not (p.Path(h) / "Python.h").exists())'
if ! python3 -c "$optimized" && /usr/bin/python3 -c "$usable" 2> /dev/null; then
  echo /usr/bin/python3
else
  echo python3
fi
