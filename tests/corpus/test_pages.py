"""Documents that are files: what is read of each kind, which folders hold them, and what is refused by name."""

from __future__ import annotations

import os
from pathlib import Path
from textwrap import dedent

import pytest

from embdiff.corpus import read_corpus
from embdiff.corpus.pages.folder import READERS
from embdiff.errors import DataError, MissingDependencyError
from pictures import drawn

PDF_HEAD = b"%PDF-1.4\n"


def pdf_of(pages: list[str]) -> bytes:
    """A PDF written by hand: a catalogue, a font, and a page with its text for each string."""
    kids = " ".join(f"{4 + 2 * at} 0 R" for at in range(len(pages)))
    objects = [
        "<< /Type /Catalog /Pages 2 0 R >>",
        f"<< /Type /Pages /Kids [{kids}] /Count {len(pages)} >>",
        "<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>",
    ]
    for at, text in enumerate(pages):
        stream = f"BT /F1 12 Tf 72 720 Td ({text}) Tj ET" if text else ""
        objects += [
            f"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 612 792] /Contents {5 + 2 * at} 0 R "
            "/Resources << /Font << /F1 3 0 R >> >> >>",
            f"<< /Length {len(stream)} >>\nstream\n{stream}\nendstream",
        ]
    found, places = PDF_HEAD, []
    for number, each in enumerate(objects, start=1):
        places.append(len(found))
        found += f"{number} 0 obj\n{each}\nendobj\n".encode()
    table = "".join(f"{place:010d} 00000 n \n" for place in places)
    start = len(found)
    found += f"xref\n0 {len(objects) + 1}\n0000000000 65535 f \n{table}".encode()
    return found + f"trailer\n<< /Size {len(objects) + 1} /Root 1 0 R >>\nstartxref\n{start}\n%%EOF\n".encode()


def page(path: Path, content: str | bytes):
    path.write_bytes(content if isinstance(content, bytes) else dedent(content).encode())
    return READERS.load(path.suffix[1:])(path, None)


def headings(found) -> list[str]:
    return [found[start:end] for start, end in found.headings]


def test_markdown_is_read_without_its_signs(tmp_path):
    found = page(
        tmp_path / "a.md",
        """\
        A line *before*.

        # The `guide`

        Read [this](http://x.y) and ![a picture](z.png)
        on two lines.

        - one
        - two

        Under
        -----

        ```python
        x = "**kept**"
        ```

        | a | b |
        |---|---|
        | 1 | 2 |

        <div>And <b>HTML</b> &amp; more<script>no()</script></div>
        """,
    )
    assert found.called == "The guide"
    assert found.split("\n\n") == [
        "A line before.",
        "Read this and a picture on two lines.\none\ntwo",
        "Under",
        'x = "**kept**"\na b\n1 2',
        "And HTML & more",
    ]
    assert headings(found) == ["Under"]


@pytest.mark.parametrize(
    ("content", "title", "text"),
    [
        ("---\ntitle: 'Of the front'\ntags: [a]\n---\n\n# One\n\ntext\n", "Of the front", "One\n\ntext"),
        ("---\ntitle: One\n---\n# One\n\ntext", "One", "text"),
        ("---\n---\n# One\n\ntext", "One", "text"),
        ("---\n\nno front matter\n\n---\n\n# One", "One", "no front matter"),
        ("text alone", "", "text alone"),
        ("# only a title\n", "only a title", ""),
        ("## Second\n\n# First\n", "First", "Second"),
    ],
)
def test_the_title_of_markdown(tmp_path, content, title, text):
    found = page(tmp_path / "a.md", content)
    assert (found.called, str(found)) == (title, text)


def test_html_is_read_as_people_see_it(tmp_path):
    found = page(
        tmp_path / "a.html",
        """\
        <!doctype html><html><head><title>Site</title><style>p{}</style>
        <body><nav>Home</nav><main><h1>The <em>page</em></h1><p>One&nbsp;&lt;two&gt;
        on   a line<br>and the next</p><script>alert(1)</script><ul><li>x<li>y</ul>
        <h2>Below</h2><pre>  kept
           as it is</pre><table><tr><td>1</td><td>2</td></tr><tr><td>3</td></tr></table></main><footer>©</footer>
        """,
    )
    assert found.called == "The page"
    assert [each.strip() for each in found.split("\n\n")] == [
        "One <two> on a line\nand the next\nx\ny",
        "Below",
        "kept\n   as it is\n1 2\n3",
    ]
    assert headings(found) == ["Below"]


@pytest.mark.parametrize(
    ("content", "title", "text"),
    [
        ("<title>T</title><p>Hello", "T", "Hello"),
        ("<head><title>T</title><p>no end of the head", "T", "no end of the head"),
        ("<p>a<svg><title>drawn</title></svg>b", "", "ab"),
        ("<template><p>never</template>seen", "", "seen"),
        ("no <unknown-tag>markup</unknown-tag> & an ampersand", "", "no\n\nmarkup\n\n& an ampersand"),
    ],
)
def test_html_that_is_written_otherwise(tmp_path, content, title, text):
    found = page(tmp_path / "a.htm", content)
    assert (found.called, str(found)) == (title, text)


def test_restructuredtext_runs_and_reads_nothing(tmp_path):
    (tmp_path / "secret.txt").write_text("secret")
    found = page(
        tmp_path / "a.rst",
        """\
        =====
        Title
        =====

        A *paragraph* with :func:`a.role` and a link_.

        .. _link: http://x.y

        .. include:: secret.txt

        .. raw:: html

           <script>no()</script>

        .. versionadded:: 2.0
           Only Sphinx knows this.

        Below
        =====

        * one
        * two

        .. code-block:: python

           print("kept")

        .. note:: Known.
        """,
    )
    assert found.called == "Title"
    assert "A paragraph with :func:`a.role` and a link." in found
    assert "secret" not in found.replace("secret.txt", "")
    assert "Only Sphinx knows this." in found
    assert "one\ntwo" in found
    assert 'print("kept")' in found
    assert "Known." in found
    assert headings(found) == ["Below"]


def test_pdf_is_read_page_by_page(tmp_path):
    found = page(tmp_path / "a.pdf", pdf_of(["Hello there.", "", "The end."]))
    assert (str(found), found.called, found.headings) == ("Hello there.\n\nThe end.", "", ())
    assert found.note == "1 of the 3 pages of a.pdf have no text."


def test_text_files_of_a_folder_are_whole(tmp_path):
    assert page(tmp_path / "a.txt", "\ufeffone\r\n\r\ntwo\r\n") == "one\n\ntwo"


@pytest.fixture
def docs(tmp_path: Path) -> Path:
    folder = tmp_path / "docs"
    (folder / "guide" / "deep").mkdir(parents=True)
    (folder / ".git").mkdir()
    (folder / ".git" / "x.md").write_text("never")
    (folder / "README.md").write_text("# Read me\n\nFirst.")
    (folder / "guide" / "a.html").write_text("<h1>A</h1><p>Second.")
    (folder / "guide" / "deep" / "b.rst").write_text("B\n=\n\nThird.\n")
    (folder / "guide" / "plain.txt").write_text("Fourth,\non two lines.")
    (folder / "guide" / "style.css").write_text("p{}")
    drawn("bar", "black", 1).save(folder / "guide" / "picture.png")
    return folder


def test_a_folder_of_documents_has_paths_for_ids_and_sub_folders_for_groups(docs):
    corpus = read_corpus(docs, group_empty="top")
    assert corpus.ids == ("README.md", "guide/a.html", "guide/deep/b.rst", "guide/plain.txt")
    assert corpus.items == ("Read me First.", "A Second.", "B Third.", "Fourth,\non two lines.")
    assert all(type(item) is str for item in corpus.items)
    assert corpus.groups == ("top", "guide", "guide/deep", "guide")
    assert corpus.parents is None
    assert corpus.ids_given
    assert corpus.notes[0] == (
        f"{docs} holds 4 documents (1 md, 1 html, 1 rst, 1 txt); their ids are their paths, their groups the "
        "sub-folders; 2 other files are not read."
    )


def test_templates_know_title_and_text(docs):
    told = read_corpus(docs, text_column="{title}: {text}", group_column="none").items
    assert told[:2] == ("Read me: First.", "A: Second.")
    assert told[3] == ": Fourth,\non two lines."  # only white space goes with an empty title
    assert read_corpus(docs, text_column="text", group_column="none").items[0] == "First."


def test_one_document_is_a_corpus_and_lines_stay_lines(docs):
    assert read_corpus(docs / "README.md").items == ("Read me First.",)
    assert read_corpus(docs / "guide" / "plain.txt").items == ("Fourth,", "on two lines.")


def test_where_images_are_what_a_folder_is_of_words_beside_them_are_none(tmp_path):
    drawn("bar", "black", 1).save(tmp_path / "a.png")
    (tmp_path / "README.md").write_text("made by a script")
    assert read_corpus(tmp_path).kinds == {"image"}
    (tmp_path / "captions.txt").write_text("a bar")
    with pytest.raises(DataError, match=r"A folder of images must hold nothing else.*captions\.txt"):
        read_corpus(tmp_path)


def refusal(folder: Path, **options) -> str:
    with pytest.raises(DataError) as caught:
        read_corpus(folder, **options)
    assert len(str(caught.value)) < 600
    return str(caught.value)


def test_tables_beside_documents_are_refused(docs):
    (docs / "queries.jsonl").write_text('{"id": 1, "text": "x"}\n')
    assert "must hold no tables. Got 'queries.jsonl' beside 3 documents" in refusal(docs)
    for name in ("a.html", "plain.txt", "deep/b.rst", "picture.png"):
        (docs / "guide" / name).unlink()
    assert "Got the folder" in refusal(docs)  # words for people beside a table are no documents
    assert "queries.jsonl" in refusal(docs)


def test_links_that_lead_out_are_refused(docs, tmp_path):
    (tmp_path / "outside.md").write_text("secret")
    (docs / "link.md").symlink_to(tmp_path / "outside.md")
    assert "must lie inside its folder" in refusal(docs)
    (docs / "link.md").unlink()
    (docs / "inside.md").symlink_to(docs / "README.md")
    assert "inside.md" in read_corpus(docs, group_column="none").ids
    (tmp_path / "elsewhere").mkdir()
    (docs / "sub").symlink_to(tmp_path / "elsewhere")
    assert "must hold its sub-folders itself. Got the link" in refusal(docs)


def test_a_pipe_is_no_document(docs):
    os.mkfifo(docs / "pipe.md")
    assert "must be a file on a disk. Got a pipe" in refusal(docs)


def test_files_that_are_no_text_are_refused(docs):
    (docs / "latin.md").write_bytes("caf\xe9".encode("latin-1"))
    assert "A text file must be UTF-8. Got the byte 0xE9 on line 1 of" in refusal(docs)
    assert read_corpus(docs, encoding="latin-1", group_column="none").items[4] == "café"
    (docs / "latin.md").write_bytes("text".encode("utf-16"))
    assert "--encoding utf-16" in refusal(docs)


def test_empty_documents_are_refused_by_path_or_dropped(docs):
    (docs / "empty.md").write_text("---\ntitle: ''\n---\n\n<!-- nothing -->\n")
    found = refusal(docs, group_column="none")
    assert "Got 1 empty of 5" in found
    assert "'empty.md'" in found
    assert read_corpus(docs, empty="drop", group_column="none").dropped == ("empty.md",)


def test_more_than_there_is_memory_for_is_refused(docs, monkeypatch):
    monkeypatch.setattr("embdiff.corpus.pages.folder.room_for_texts", lambda: 50)
    assert "What is read must fit into memory" in refusal(docs)


def encrypted() -> bytes:
    pypdf = pytest.importorskip("pypdf")
    from io import BytesIO

    writer = pypdf.PdfWriter(clone_from=BytesIO(pdf_of(["Secret."])))
    writer.encrypt("password", algorithm="RC4-128")
    out = BytesIO()
    writer.write(out)
    return out.getvalue()


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: pdf_of(["", ""]), "A PDF must hold text. Got 2 pages without any"),
        (encrypted, "without a password. Got an encrypted one"),
        (lambda: PDF_HEAD + b"rubbish", "A PDF must be whole. Got"),
        (lambda: pdf_of(["Hello."])[:300], "A PDF must be whole. Got"),
        (lambda: b"", "A PDF must be whole. Got EmptyFileError"),
    ],
)
def test_pdfs_without_text_are_refused(tmp_path, make, words):
    (tmp_path / "a.pdf").write_bytes(make())
    (tmp_path / "b.md").write_text("text")
    found = refusal(tmp_path)
    assert words in found
    assert f"in {tmp_path / 'a.pdf'}" in found


def test_a_missing_library_is_named_with_its_extra(tmp_path, monkeypatch):
    import embdiff._registry as registry

    monkeypatch.setattr(registry, "is_installed", lambda module: module != "pypdf")
    (tmp_path / "a.pdf").write_bytes(pdf_of(["x"]))
    with pytest.raises(MissingDependencyError, match=r"pip install 'embdiff\[pdf\]'"):
        read_corpus(tmp_path)


def test_deep_nesting_is_refused_or_read(tmp_path):
    (tmp_path / "a.html").write_text("<div>" * 50_000 + "deep")
    (tmp_path / "b.md").write_text("> " * 2_000 + "deep\n\n" + "[" * 5_000)
    assert read_corpus(tmp_path).items[0] == "deep"
