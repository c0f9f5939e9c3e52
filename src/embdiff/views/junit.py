"""What became of rules as JUnit's XML, which CI servers read: a case for each rule and model."""

from __future__ import annotations

from xml.etree import ElementTree

from embdiff._visible import visible_on_a_page
from embdiff.decision import Check


def junit(found: Check) -> str:
    """Return a check as JUnit's XML: a broken rule is a failure, one that is not told an error."""
    count = {each: sum(ruling.outcome == each for ruling in found.rulings) for each in ("fail", "inconclusive")}
    suite = ElementTree.Element(
        "testsuite", name="embdiff check", tests=str(len(found.rulings)), failures=str(count["fail"]),
        errors=str(count["inconclusive"]), skipped="0",
    )  # fmt: skip
    for each in found.rulings:
        case = ElementTree.SubElement(suite, "testcase", classname=_plain(each.about), name=_plain(each.rule))
        told = _plain("; ".join(filter(None, (f"{each.found}, n = {each.n:,}", each.more, each.reason))))
        if each.outcome == "pass":
            ElementTree.SubElement(case, "system-out").text = told
        else:
            kind = "failure" if each.outcome == "fail" else "error"
            ElementTree.SubElement(case, kind, type=each.outcome, message=told)
    suites = ElementTree.Element("testsuites", name=_plain(found.about))
    suites.append(suite)
    ElementTree.indent(suites)
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + ElementTree.tostring(suites, encoding="unicode") + "\n"


def _plain(text: str) -> str:
    """Return text without what XML cannot hold: it is written out as on a page, and so are the two non-characters."""
    return visible_on_a_page(text).replace("\ufffe", "\\ufffe").replace("\uffff", "\\uffff")
