"""Build the documentation as a site that is read without a network, the reports of the gallery in it.

Used by 'make docs-site', with the extra ``docs``. A broken link, anchor or name of the API ends the build.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

from gallery import GALLERY, ROOT, make_report

SITE = ROOT / "build" / "site"
# Browsers start no worker, which the search needs, for pages that lie in a folder; zensical.toml names this script.
SHIM = ROOT / "frontend" / "node_modules" / "iframe-worker" / "shim" / "index.js"


def main() -> None:
    """Make the reports, build, and lay beside the pages what makes their search work."""
    for name in GALLERY:
        print(f"gallery: {name}", flush=True)
        make_report(name, ROOT / "docs" / "gallery" / f"{name}.html")
    shutil.rmtree(SITE, ignore_errors=True)
    zensical = Path(sys.executable).parent / "zensical"
    done = subprocess.run([zensical, "build", "--strict", "--clean"], cwd=ROOT, check=False)
    if done.returncode:
        sys.exit("The site is not whole; see above.")
    shutil.copy(SHIM, SITE / "assets" / "iframe-worker.js")
    print(f"Open {SITE.relative_to(ROOT)}/index.html")


if __name__ == "__main__":
    main()
