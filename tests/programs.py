"""Makes sure that the Debian programs that tests need are there: installed when root, else the line to type."""

import os
import shutil
import subprocess
import sys

CHROMIUM = "/usr/bin/chromium"
OPENSSL = "/usr/bin/openssl"
_PACKAGES = {CHROMIUM: "chromium", OPENSSL: "openssl"}


def main() -> int:
    missing = [package for program, package in _PACKAGES.items() if not os.path.exists(program)]
    if not missing:
        return 0
    if os.geteuid() != 0 or shutil.which("apt-get") is None:
        print(f"The tests need programs. Type: sudo apt-get install -y {' '.join(missing)}", file=sys.stderr)
        return 1
    print(f"Installing Debian's {', '.join(missing)} for the tests…", file=sys.stderr)
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    for command in (["apt-get", "update", "-qq"], ["apt-get", "install", "-y", "-qq", *missing]):
        subprocess.run(command, check=True, env=environment, stdout=subprocess.DEVNULL)
    return 0


if __name__ == "__main__":
    sys.exit(main())
