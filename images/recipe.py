"""What the images are made of, as tables: packages, layers, images, and what is left out of each.

Three images for three purposes, so that a container holds no library that its task does not use:

- ``sql``: DuckDB and nothing else; a developer's SQL job;
- ``python``: the libraries of an analyst; a developer's Python job;
- ``check``: what takes supplies in, compiles views, desensitises and checks outputs.

Layers stand from the most to the least shared, so that the engine keeps the common ones once.
"""

from __future__ import annotations

from dataclasses import dataclass

EPOCH = 1767225600  # 2026-01-01T00:00:00Z: the time of every file and image
CREATED = "2026-01-01T00:00:00Z"
UID = 61000  # the images' own user; a task runs as a user of its own (sandbox/executor/profile.py)
PYTHON = "usr/bin/python3.11"
SITE = "usr/local/lib/python3.11/dist-packages"

# The whole of the root file system. dbm, curses, readline and nis stay out: a task has no terminal.
DEBS = (
    "libbz2-1.0",
    "libc6",
    "libcrypt1",
    "libexpat1",
    "libffi8",
    "libgcc-s1",
    "libgomp1",
    "liblzma5",
    "libpython3.11-minimal",
    "libpython3.11-stdlib",
    "libsqlite3-0",
    "libssl3",
    "libstdc++6",
    "libuuid1",
    "python3.11-minimal",
    "tzdata",
    "zlib1g",
)
# Left out of them. distutils and lib2to3 go with Python 3.12 anyway; the first names a package registry.
DEB_EXCLUDE = (
    "etc/apt",
    "usr/bin/pdb3.11",
    "usr/bin/py3versions",
    "usr/bin/pydoc3.11",
    "usr/bin/pygettext3.11",
    "usr/lib/python3.11/distutils",
    "usr/lib/python3.11/lib2to3",
    "usr/lib/python3.11/pydoc_data",
    "usr/sbin",
    "usr/share/applications",
    "usr/share/binfmts",
    "usr/share/bug",
    "usr/share/doc",
    "usr/share/gcc",
    "usr/share/gdb",
    "usr/share/lintian",
    "usr/share/man",
    "usr/share/pixmaps",
    "usr/share/python3",
    "var",
)
# Reads the text of pictures for the checker: one program, the libraries it is linked with, two languages.
# The distribution links it with libcurl: what it would reach, a container without a network has not.
OCR_DEBS = (
    "libacl1",
    "libarchive13",
    "libbrotli1",
    "libcom-err2",
    "libcurl4",
    "libdeflate0",
    "libgif7",
    "libgmp10",
    "libgnutls30",
    "libgssapi-krb5-2",
    "libhogweed6",
    "libicu72",
    "libidn2-0",
    "libjbig0",
    "libjpeg62-turbo",
    "libk5crypto3",
    "libkeyutils1",
    "libkrb5-3",
    "libkrb5support0",
    "libldap-2.5-0",
    "liblept5",
    "liblerc4",
    "liblz4-1",
    "libnettle8",
    "libnghttp2-14",
    "libopenjp2-7",
    "libp11-kit0",
    "libpng16-16",
    "libpsl5",
    "librtmp1",
    "libsasl2-2",
    "libssh2-1",
    "libtasn1-6",
    "libtesseract5",
    "libtiff6",
    "libunistring2",
    "libwebp7",
    "libwebpmux3",
    "libxml2",
    "libzstd1",
    "tesseract-ocr",
    "tesseract-ocr-chi-sim",
    "tesseract-ocr-eng",
)
OCR_PROGRAM = "usr/bin/tesseract"
# Kept of them, as patterns of a whole path; everything else stays out.
OCR_KEEP = (
    r"usr/bin/tesseract",
    r"usr/lib/x86_64-linux-gnu/[^/]+\.so(?:\.[^/]*)?",
    r"usr/share/tesseract-ocr/5/tessdata/(?:chi_sim|eng)\.traineddata",
)
# Left out of the wheels, by folder name, suffix, and part of a file's name.
# setuptools is named by the metadata of spacy and imported by nothing that a task runs.
WHEEL_FOLDERS = frozenset(
    {"tests", "include", "bin", "__pycache__", "setuptools", "pkg_resources", "_distutils_hack"}
)
WHEEL_SUFFIXES = frozenset({".pyi", ".pxd", ".pyx", ".h", ".c", ".cpp", ".a", ".pth"})
WHEEL_PARTS = ("flight", "libarrow_s3", "_s3fs", "_gcsfs", "_azurefs")  # pyarrow's network: 40 MB

# Layer -> the locked packages in it. Every line of requirements/images.txt stands in exactly one.
WHEELS: dict[str, tuple[str, ...]] = {
    "duckdb": ("duckdb",),
    "tables": ("numpy", "polars", "polars-runtime-32", "pyarrow"),
    "science": (
        "cloudpickle",
        "diffprivlib",
        "formulaic",
        "interface-meta",
        "joblib",
        "narwhals",
        "packaging",
        "pandas",
        "patsy",
        "python-dateutil",
        "scikit-learn",
        "scipy",
        "statsmodels",
        "threadpoolctl",
        "tzdata",
        "wrapt",
    ),
    "checker": (
        "annotated-types",
        "pillow",
        "pydantic",
        "pydantic-core",
        "pyyaml",
        "rfc8785",
        "typing-extensions",
        "typing-inspection",
    ),
    "readers": (
        "charset-normalizer",
        "et-xmlfile",
        "lxml",
        "ml-dtypes",
        "onnx",
        "openpyxl",
        "pikepdf",
        "prettytable",
        "protobuf",
        "pypdfium2",
        "pyroaring",
        "python-docx",
        "safetensors",
        "skops",
        "wcwidth",
    ),
    "ciphers": ("cffi", "cryptography", "pycparser"),  # FF1: sandbox/desensitize/ff1.py
    "language": (
        "annotated-doc",
        "anyio",
        "blis",
        "catalogue",
        "certifi",
        "click",
        "cloudpathlib",
        "confection",
        "cymem",
        "filelock",
        "h11",
        "httpcore",
        "httpx",
        "idna",
        "jinja2",
        "markdown-it-py",
        "markupsafe",
        "mdurl",
        "murmurhash",
        "phonenumbers",
        "preshed",
        "presidio-analyzer",
        "pygments",
        "regex",
        "requests",
        "requests-file",
        "rich",
        "setuptools",
        "shellingham",
        "smart-open",
        "spacy",
        "spacy-legacy",
        "spacy-loggers",
        "srsly",
        "thinc",
        "tldextract",
        "tqdm",
        "typer",
        "urllib3",
        "wasabi",
        "weasel",
    ),
}
ROOTFS, OCR = "rootfs", "ocr"
DEB_LAYERS: dict[str, tuple[str, ...]] = {ROOTFS: DEBS, OCR: OCR_DEBS}


@dataclass(frozen=True)
class Image:
    """One image: its layers from the bottom, below our own; and where our own files begin.

    ``roots`` are packages of ours that are in the image whole; of the others only the modules that these
    import. ``policies``: whether the policy files are in it too.
    """

    name: str
    layers: tuple[str, ...]
    roots: tuple[str, ...]
    policies: bool = False


TASK = ("sandbox.task",)
IMAGES = (
    Image("sql", (ROOTFS, "duckdb"), TASK),
    Image("python", (ROOTFS, "duckdb", "tables", "science"), TASK),
    Image(
        "check",
        (ROOTFS, "duckdb", "tables", "science", OCR, "checker", "readers", "language", "ciphers"),
        (
            *TASK,
            "sandbox.workspace",
            "sandbox.desensitize",
            "sandbox.policy",
            "sandbox.pii",
            "sandbox.egress",
        ),
        policies=True,
    ),
)
# The one exit and the durable parts of the control plane are in no image, whatever imports them.
NEVER = frozenset({"sandbox.egress.gate"})
