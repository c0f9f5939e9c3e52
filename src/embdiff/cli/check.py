"""``embdiff check``: rules for CI, with an exit code for each of pass, fail and inconclusive."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from embdiff.cli.compare import default_folder, repeated
from embdiff.cli.output import AllOption, JsonOption, MarkdownOption, TrustOption, one_form, put
from embdiff.errors import ParameterError

FAIL, INCONCLUSIVE = 3, 4


def check_command(
    data: Annotated[
        str,
        typer.Argument(
            metavar="DATA", help="What compare takes, which is compared first; a run.toml; or a run folder."
        ),
    ],
    *,
    fail_if: Annotated[
        list[str] | None,
        typer.Option(help="Rule that breaks the check: 'overlap@10 < 0.6', 'ndcg@10 drop > 0.02'; repeat."),
    ] = None,
    against: Annotated[
        Path | None, typer.Option(metavar="RUN", help="Earlier run that the models are held against.")
    ] = None,
    current: Annotated[
        str | None, typer.Option(help="Model that the others are held against. Default: the first, or of one name.")
    ] = None,
    junit: Annotated[Path | None, typer.Option(help="JUnit XML to write.")] = None,
    out: Annotated[Path | None, typer.Option(help="Run folder. Default: as for compare.")] = None,
    everything: AllOption = False,
    trust: TrustOption = False,
    as_json: JsonOption = False,
    markdown: MarkdownOption = False,
    **given: Any,
) -> None:
    """Hold models to rules, each by its interval. Exit code: 0 all kept, 3 one broken, 4 too few queries to tell."""
    from embdiff import _files, _names
    from embdiff.deciding import check
    from embdiff.runs import is_run
    from embdiff.views.junit import junit as junit_xml
    from embdiff.views.markdown import check_markdown
    from embdiff.views.table import show

    one_form(as_json, markdown)
    target = None if junit is None else _names.place_for(junit, "JUnit file")
    if target is not None and not target.parent.is_dir():
        raise ParameterError(
            f"A JUnit file must be written into a folder that is there. Got {junit}. Make its folder, or name another."
        )
    if data.endswith(".toml"):
        data, given = repeated(Path(data), given, trust)
    options = {key: value for key, value in given.items() if value is not None}
    made = out if out is not None or is_run(Path(data)) else default_folder(data, given)
    found = check(
        data, options.pop("models", None), fail_if=fail_if or [], against=against, current=current, out=made, **options
    )
    if target is not None:
        with _files.told("A JUnit file", target, "or name another file with --junit"):
            _files.write_text(target, junit_xml(found))
    put(as_json, found.to_dict, lambda: show(*found.drawn(everything=everything)),
        (lambda: check_markdown(found)) if markdown else None)  # fmt: skip
    code = {"pass": 0, "fail": FAIL, "inconclusive": INCONCLUSIVE}[found.verdict]
    if code:
        raise typer.Exit(code)
