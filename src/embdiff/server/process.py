"""The process in which models and databases of a run are: it can be ended, as a thread cannot.

It is asked line by line in JSON on its standard input, and answers so on its standard output. Where the server is gone
it ends by itself.
"""

from __future__ import annotations

import json
import os
import signal
import sys
from pathlib import Path
from typing import Any

from embdiff.errors import EmbdiffError
from embdiff.server.opening import opened


def main() -> None:
    """Answer whoever started this process, until they are gone."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C ends the server, which ends this
    answers = os.fdopen(os.dup(1), "w", encoding="ascii")
    os.dup2(2, 1)  # what libraries print is no answer

    def tell(**told: Any) -> None:
        print(json.dumps(told), file=answers, flush=True)

    def refuse(error: EmbdiffError) -> None:
        tell(refused=[type(error).__name__, str(error)])

    try:
        settings = json.loads(sys.stdin.readline())
        with opened(Path(settings.pop("folder")), **settings) as asker:
            tell(answer=asker.indexes)
            for line in sys.stdin:
                what, wanted = json.loads(line)
                try:
                    tell(answer=getattr(asker, what)(**wanted))
                except EmbdiffError as error:
                    refuse(error)
    except EmbdiffError as error:
        refuse(error)
    except BrokenPipeError:  # the server is gone
        os._exit(1)


if __name__ == "__main__":
    main()
