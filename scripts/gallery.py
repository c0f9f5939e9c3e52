"""Make the reports of the gallery, from bundled sentences and the help desk in ``examples/``.

``docs_site.py`` puts them into the site, ``screenshot.py`` takes the picture of README.md from one of them. Each is
what the command in ``GALLERY`` writes in ``examples/``; it needs the offline models, as the demo does.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

ROOT = Path(__file__).resolve().parent.parent
MODELS = "-m minilm -m wordllama:256"
JUDGED = "helpdesk/answers.csv --queries helpdesk/questions.csv --expected helpdesk/expected.csv"
GALLERY = {
    "choose-a-model": f"compare {JUDGED} {MODELS} -m lsa:32 -k 5",
    "swap-a-model": f"compare helpdesk/questions.csv {MODELS}",
    "demo": "demo",
}


def make_report(name: str, page: Path) -> None:
    """Run one command of the gallery and keep its report as ``page``."""
    with TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "embdiff", *GALLERY[name].split(), "--out", f"{folder}/{name}"]
        done = subprocess.run(command, cwd=ROOT / "examples", capture_output=True, text=True, check=False)
        if done.returncode:
            sys.exit(f"'embdiff {GALLERY[name]}' ended with {done.returncode}: {done.stderr.strip()}")
        page.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(Path(folder) / name / "report.html", page)
