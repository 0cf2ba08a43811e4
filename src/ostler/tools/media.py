"""What kind of file it is, from its first bytes: text, an image or PDF the model can look at, or
something not to be shown."""

import os

SAMPLE = 4096
"""Bytes from the beginning that decide."""

_IMAGE_EXTENSIONS = {
    ".png": "image/png",
    ".jpg": "image/jpeg",
    ".jpeg": "image/jpeg",
    ".gif": "image/gif",
    ".webp": "image/webp",
    ".pdf": "application/pdf",
}
_BINARY_EXTENSIONS = frozenset(
    [".zip", ".tar", ".gz", ".exe", ".dll", ".so", ".class", ".jar", ".war", ".7z", ".doc",
     ".docx", ".xls", ".xlsx", ".ppt", ".pptx", ".odt", ".ods", ".odp", ".bin", ".dat", ".obj",
     ".o", ".a", ".lib", ".wasm", ".pyc", ".pyo"]
)  # fmt: skip
_CONTROL = frozenset(range(9)) | frozenset(range(14, 32))


def attachable(path: str, sample: bytes) -> str | None:
    """The mime type of an image or PDF that is shown as it is, by magic number, else by
    extension; None for everything else."""
    found = sniff(sample)
    if found is not None:
        return None if found == "image/bmp" else found
    return _IMAGE_EXTENSIONS.get(os.path.splitext(path)[1].lower())


def sniff(sample: bytes) -> str | None:
    """The mime type the magic number speaks for."""
    for magic, mime in _MAGIC:
        if sample.startswith(magic):
            return mime
    if sample[:4] == b"RIFF" and sample[8:12] == b"WEBP":
        return "image/webp"
    return None


_MAGIC = (
    (b"\x89PNG\r\n\x1a\n", "image/png"),
    (b"\xff\xd8\xff", "image/jpeg"),
    (b"GIF8", "image/gif"),
    (b"BM", "image/bmp"),
    (b"%PDF-", "application/pdf"),
)


def is_binary(path: str, sample: bytes) -> bool:
    """Whether a file is not to be read as text: by extension, a NUL, or more than 30 % control
    characters."""
    if os.path.splitext(path)[1].lower() in _BINARY_EXTENSIONS or b"\0" in sample:
        return True
    return sum(byte in _CONTROL for byte in sample) > 0.3 * len(sample)
