"""What a user may give by mistake and a stranger on purpose: files, options and arguments that must be refused."""

from __future__ import annotations

import gzip
import json
import os
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

DIGITS, LONG = "9" * 5_000, "a" * 300
TWO = ("-m", "toy:8", "-m", "toy:16", "--store", "memory:", "-k", "2")

# Names of files below → what they hold.
TEXTS: dict[str, bytes] = {
    "empty.csv": b"",
    "one.csv": b"text\nonly one\n",
    "nul.csv": b"text\n\0\0\0\0\0\0\0\0\n",
    "latin.csv": "text\nf\xfcr\n".encode("latin-1"),
    "utf16.csv": "text\na\nb\n".encode("utf-16"),
    "quote.csv": b'text\n"never closed\nb\n',
    "ragged.csv": b"id,text\n1,a\n2,b,c\n",
    "dupid.csv": b"id,text\n1,a\n1,b\n",
    "blank.csv": b"id,text\n1,a\n2,\n",
    "emptyid.csv": b"id,text\n,a\n2,b\n",
    "escape.csv": b"id,text\na\x1b[31m,x\na\x1b[31m,y\n",
    "nest.jsonl": b"[" * 100_000 + b"\n",
    "nested.jsonl": b'{"a":' * 50_000 + b"1" + b"}" * 50_000 + b"\n",
    "nan.jsonl": b'{"text":NaN}\n',
    "mixed.jsonl": b'{"text":"a"}\n"b"\n',
    "numbers.jsonl": b'{"text":5}\n{"text":6}\n',
    "lists.jsonl": b'["a"]\n',
    "fake.parquet": b"PAR1 nothing PAR1",
    "fake.csv.gz": b"no gzip\n",
    "nan_grade.csv": b"query_id,id,grade\nr0,r1,NaN\n",
    "unknown.csv": b"query_id,id\nzz,yy\n",
    "endless.csv": b"query_id,id,grade\nr0,r1,1e999\n",
}
# Settings of a run.toml, beside data and models.
TOMLS: dict[str, str] = {
    "k": "k=inf",
    "bool": "k=true",
    "unknown": "unknown=1",
    "seed": "seed=-1",
    "metric": 'metric="\\u0000"',
    "store": 'store="\\u0000"',
    "cache": 'cache="\\u0000"',
    "memory": f'memory="{"9" * 400}GiB"',
    "rows": f'queries="rows:{DIGITS}"',
    "width": "half_width=nan",
    "measure": 'measures=["overlap@"]',
    "digits": f"seed={DIGITS}",
}
WHOLE_TOMLS: dict[str, bytes] = {
    "deep.toml": b"a=" + b"[" * 5_000 + b"]" * 5_000,
    "number.toml": b"models=5\n",
    "bytes.toml": b"\xff\xfe",
    "date.toml": b'data=2026-01-01\nmodels=["toy:8"]\n',
    "nul.toml": b'data="x\\u0000y.csv"\nmodels=["toy:8"]\n',
    "nul_model.toml": b'data="good.csv"\nmodels=["vectors:a\\u0000.npy"]\n',
    "lists.toml": b'data="good.csv"\nmodels=[["toy:8"]]\n',
}
HEADERS = {  # of .npy files
    "lie": "{'descr':'<f4','fortran_order':False,'shape':(12,8000000000),}",
    "negative": "{'descr':'<f4','fortran_order':False,'shape':(-12,-8),}",
    "digits": "{'descr':'<f4','fortran_order':False,'shape':(12," + DIGITS + "),}",
    "nest": "(" * 2_000 + ")" * 2_000,
    "bools": "{'descr':'<f4','fortran_order':False,'shape':(True,True),}",
    "objects": "{'descr':[('a','<f4'),('b','O')],'fortran_order':False,'shape':(12,8),}",
}
ARRAYS: dict[str, Any] = {
    "nan": np.full((12, 8), np.nan, np.float32),
    "int": np.ones((12, 8), np.int32),
    "line": np.ones(12, np.float32),
    "short": np.ones((3, 8), np.float32),
    "zero": np.zeros((12, 8), np.float32),
    "none": np.zeros((0, 8), np.float32),
    "large": np.full((12, 8), 1e300),
}
IDS = [f"r{row}" for row in range(12)]
TABLES: dict[str, dict[str, Any]] = {
    "nullvec": {"id": IDS, "vector": [[1.0] * 8] * 11 + [None]},
    "raggedvec": {"id": IDS, "vector": [[1.0] * (8 + row % 2) for row in range(12)]},
    "novec": {"id": IDS},
    "bytes": {"text": [b"\xff\xfe\xfa"] * 12},
    "listtext": {"text": [["a"]] * 12},
}


def write(folder: Path) -> None:
    """Write all the files that the cases name."""
    rows = "".join(f"r{row},text number {row} about {'cats' if row % 2 else 'dogs'}\n" for row in range(12))
    files = {"good.csv": f"id,text\n{rows}".encode(), **TEXTS, **WHOLE_TOMLS}
    for name, line in TOMLS.items():
        files[f"{name}.toml"] = f'data="good.csv"\nmodels=["toy:8","toy:16"]\n{line}\n'.encode()
    for name, header in HEADERS.items():
        text = f"{header}\n".encode()
        files[f"{name}.npy"] = b"\x93NUMPY\x01\x00" + len(text).to_bytes(2, "little") + text + b"\0" * 400
    files["version.npy"] = b"\x93NUMPY\x09\x00" + b"\xff\xff\xff\x7f{"
    for name, content in files.items():
        (folder / name).write_bytes(content)
    for name, array in ARRAYS.items():
        np.save(folder / f"{name}.npy", array)
    for name, table in TABLES.items():
        pq.write_table(pa.table(table), folder / f"{name}.parquet")
    (folder / "torn.parquet").write_bytes((folder / "bytes.parquet").read_bytes()[:200])
    for name in ("pipe.csv", "pipe.npy", "pipe.toml", "pipe.parquet"):
        os.mkfifo(folder / name)
    (folder / "device.csv").symlink_to("/dev/zero")
    (folder / "loop.csv").symlink_to(folder / "loop.csv")
    for name in ("folder.csv", "folder.npy"):
        (folder / name).mkdir()
    _write_bombs(folder)


def _write_bombs(folder: Path) -> None:
    """Write small files that hold 2 GB: one text in every row, and the same as gzip."""
    indices, texts = pa.array(np.zeros(2_000_000, np.int32)), pa.array(["x" * 1_000])
    table = pa.table({"text": pa.DictionaryArray.from_arrays(indices, texts)})
    pq.write_table(table, folder / "bomb.parquet", compression="zstd")
    pq.write_table(table.cast(pa.schema([("text", pa.dictionary(pa.int32(), pa.string()))])), folder / "coded.parquet")
    with gzip.open(folder / "bomb.jsonl.gz", "wb", 1) as handle:
        for _ in range(300):
            handle.write(b'"' + b"a" * 1_000_000 + b'"\n')


def _compare(*options: str, data: str = "good.csv") -> tuple[str, ...]:
    return ("compare", data, *options, *(() if "--out" in options else ("--out", "run")))


def command_lines() -> list[tuple[str, ...]]:
    """Return command lines, each of which must be refused."""
    found = [_compare(*TWO, data=name) for name in TEXTS if name not in ("nan_grade.csv", "unknown.csv", "endless.csv")]
    found += [_compare(*TWO, data=f"{name}.parquet") for name in ("torn", "bytes", "listtext", "bomb", "coded")]
    strange = ("pipe.csv", "pipe.parquet", "device.csv", "loop.csv", "folder.csv", "bomb.jsonl.gz", "/dev/zero", "")
    found += [_compare(*TWO, data=name) for name in (*strange, f"{LONG * 20}.csv", "\udcff.csv", "x.exe", "no\x1b.csv")]
    found += [_compare(data=f"{name}.toml") for name in (*TOMLS, "pipe", *(Path(each).stem for each in WHOLE_TOMLS))]
    vectors = (*HEADERS, *ARRAYS, "version", "pipe", "folder")
    found += [_compare("-m", "toy:8", "-m", f"vectors:{name}.npy") for name in vectors]
    found += [_compare("-m", "toy:8", "-m", f"vectors:{name}.parquet") for name in ("nullvec", "raggedvec", "novec")]
    found += [_compare("-m", "toy:8", "-m", f"vectors:{name}.parquet") for name in ("torn", "fake", "pipe")]
    models = ("", ":", "?", "toy:", "toy:0", "toy:-1", f"toy:{DIGITS}", "toy:8?x=1", "lsa:0", f"lsa:{DIGITS}")
    models += ("vectors:", "vectors:/dev/zero", "vectors:.", f"vectors:{LONG}.npy", "st:", "st:..", "st:a b", "st:\n")
    models += (
        f"st:{LONG}",
        f"st:./{LONG}",
        f"st:{LONG * 300}",
        "ST:x",
        "st:\x1b[31m",
        "object:x",
        "bm25:3",
        "milvus:#",
        "openai:",
        "openai:m?base_url=nowhere",
        "openai:m?base_url=http://127.0.0.1:1/v1",
        "openai:m?base_url=http://a:b@127.0.0.1:1/v1",
        "openai:m?base_url=http://127.0.0.1:1&dimensions=-1",
        "openai:m?base_url=http://example.org",
        f"ollama:{LONG * 3}?base_url=http://127.0.0.1:1",
        "cohere:m?key_from=NO_SUCH_KEY",
        "gemini:m?dim=4",
    )
    found += [_compare("-m", "toy:8", "-m", model) for model in models]
    options = {
        "-k": ("0", "-1", "12", "1.5", "abc", "", DIGITS),
        "--metric": ("", "cosin", LONG * 300, "cosine\n", "\udcff"),
        "--index": ("hnsw(", "hnsw(M=1)", f"hnsw(M={DIGITS})", "hnsw(M=16,,)", "ivf_flat(nlist=13)", "hnsw(Q=3)"),
        "--store": (
            "milvus:",
            "lancedb:",
            "http://",
            "ftp://x",
            "file.db",
            f"milvus:{LONG}",
            "http://[::1",
            "milvus:loop.csv",
            "lancedb:loop.csv",
        ),
        "--queries": ("first:0", "first:x", "rows:", "rows:99", f"rows:{DIGITS}", f"first:{DIGITS}", "no.csv"),
        "--memory": ("0B", "-1GiB", "9" * 400 + "GiB", "nanGiB", "1", f"{DIGITS}.5KB"),
        "--sample": ("0", "1", "13", DIGITS),
        "--half-width": ("nan", "inf", "0", "-1", "1e999"),
        "--permutations": ("0", "99999999", DIGITS),
        "--calibrate": ("-1", DIGITS),
        "--seed": ("-1", DIGITS, str(2**63)),
        "--measure": ("overlap@0", "overlap@99", f"overlap@{DIGITS}", "rbo(p=2)", "rbo(p=nan)", "x\x1b[2J"),
        "--layout": ("x",),
        "--empty": ("x",),
        "--self": ("x",),
        "--preset": ("x",),
        "--price": ("0.02", "x"),
        "--cache": ("?x", "/dev/null", LONG, "loop.csv"),
        "--text-column": ("99", "-1", "", DIGITS),
        "--group-column": (DIGITS,),
        "--encoding": ("x", "a\x1b", "base64"),
        "--expected": ("no.csv", "nan_grade.csv", "unknown.csv", "endless.csv", "pipe.csv"),
        "--out": (
            "/proc/x/y",
            "/dev/null",
            "/etc",
            "/",
            LONG,
            "x/" * 3_000,
            "\udcff",
            "good.csv/x",
            "pipe.csv",
            "loop.csv",
        ),
        "--bl\x1b[31m": ("x",),
    }
    found += [_compare(*TWO, option, value) for option, values in options.items() for value in values]
    others = [
        "show no", "show loop.csv", "report loop.csv", "judge loop.csv", "doctor loop.csv", "doctor milvus:loop.csv", "show /etc", f"show {LONG}", "diff no x", "serve no", "serve no --port 99999", "report no",
        "export no -o x", "thresholds no", "judge no", f"judge no --queries {DIGITS}", "copy x y",
        "copy milvus:no.db milvus:x.db", "cache ls --cache good.csv", "cache prune --older-than x",
        "cache prune --max-size -1", f"cache prune --max-size {DIGITS}B", f"measures overlap@{DIGITS}", "measures x",
        f"no{LONG}", "encode good.csv -m toy:8 -o x.txt", "encode good.csv -m toy:8 -o /etc",
        "encode good.csv -m toy:8 -o memory:", f"encode good.csv -m toy:8 -o {LONG}.parquet",
        "encode good.csv -m toy:8 -o o.parquet --part-rows 0", f"encode good.csv -m toy:8 -o o.parquet --part-rows {DIGITS}",
        "encode good.csv -m toy:8 -o o.parquet --role x", "encode good.csv -m toy:8 -o o.parquet --engine x",
        "encode pipe.parquet -m toy:8 -o o.parquet", "encode torn.parquet -m toy:8 -o o.parquet",
        "evaluate good.csv -m toy:8 -k 0", f"evaluate good.csv -m toy:8 -k {DIGITS}", "evaluate no -m toy:8",
        "evaluate good.csv -m toy:8 --draws 0", f"evaluate good.csv -m toy:8 --seed {DIGITS}",
        f"evaluate good.csv -m toy:8 --out {LONG}", "evaluate pipe.csv -m toy:8",
        "evaluate good.csv -m toy:8 --out pipe.csv", "encode good.csv -m toy:8 -o pipe.parquet",
    ]  # fmt: skip
    return [*found, *(tuple(line.split(" ")) for line in others)]


def called(name: str) -> str:
    """Return what a case is called: short, and printable."""
    return json.dumps(name)[1:-1][:60]
