"""Bytes into text, whatever encoding they were saved in."""

from __future__ import annotations

import re

SAMPLE = 20_000
"""Bytes from which an encoding is guessed."""
_CHARSET = re.compile(
    rb"<(?:meta|\?xml)\b[^>]{0,200}?(?:charset|encoding)\s*=\s*[\"']?(shift[_-]jis|x-sjis|euc-jp|"
    rb"iso-2022-jp|euc-kr|big5|gb2312|gbk|gb18030|koi8-[ru]|windows-12\d\d|iso-8859-\d{1,2})\b",
    re.IGNORECASE,
)
"""Encodings of the WHATWG standard that Python has. Some of Python's other codecs give no text, or take their time."""
_GUESSED = ["cp932", "euc_jp", "gb18030", "big5", "cp949", "cp1250", "cp1251", "cp1253", "cp1255", "cp1256", "koi8_r"]
_CONTROLS = bytes([*range(9), *range(14, 32), 127])
_HIGH = re.compile(rb"[\x80-\xff]+")


def decode_html(data: bytes) -> str | None:
    """As `decode`, and in the encoding that the page declares."""
    declared = _CHARSET.search(data[:2048])
    encoding = declared.group(1).decode().lower() if declared else ""
    # What pages call Shift-JIS is what Windows makes of it (WHATWG Encoding Standard, "Names and labels").
    return decode(
        data, declared={"shift_jis": "cp932", "shift-jis": "cp932", "x-sjis": "cp932"}.get(encoding, encoding)
    )


def decode(data: bytes, *, declared: str = "") -> str | None:
    """Text of UTF-8, UTF-16, the declared encoding, or what the bytes look like; None if they are no text."""
    for encoding in _candidates(data, declared):
        try:
            text = data.decode(encoding)
        except (UnicodeDecodeError, LookupError):
            continue
        written = text.encode(errors="replace")
        controls = len(written) - len(written.translate(None, _CONTROLS))
        # The encodings without rules of their own give a meaning to nearly any byte.
        if b"\0" not in written and controls <= (0.01 * len(written) if encoding in _STRICT else 0):
            return text
    return None


_STRICT = ("utf-8-sig", "utf-16", "utf-16-le", "utf-16-be")


def _candidates(data: bytes, declared: str) -> list[str]:
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        return ["utf-16"]
    sample = data[:SAMPLE]
    even, odd = sample[::2], sample[1::2]
    for encoding, zeros, letters in (("utf-16-le", odd, even), ("utf-16-be", even, odd)):
        if zeros.count(0) > 0.4 * len(zeros) and letters.count(0) < 0.02 * len(letters):
            return [encoding]
    candidates = ["utf-8-sig", declared] if declared else ["utf-8-sig"]
    try:
        data.decode(candidates[0])
    except UnicodeDecodeError:
        candidates.append(_guessed(data))
    return candidates


def _guessed(data: bytes) -> str:
    """Windows-1252 for the languages of western Europe: letters beyond ASCII are few there, and stand apart.

    Empty if the bytes look like nothing.
    """
    runs = _HIGH.findall(data)
    high = sum(map(len, runs))
    if high <= 0.3 * len(data) and sum(len(run) for run in runs if len(run) > 1) <= 0.3 * high:
        return "cp1252"
    from charset_normalizer import from_bytes

    # From the first letter beyond ASCII on: before it, all encodings are the same.
    first = _HIGH.search(data)
    start = data.rfind(b"\n", 0, first.start()) + 1 if first else 0
    sample = data[start : start + SAMPLE]
    if len(sample) == SAMPLE:  # not the half of a letter
        sample = sample[: sample.rfind(b"\n") + 1] or sample
    best = from_bytes(sample, cp_isolation=_GUESSED, enable_fallback=False).best()
    return best.encoding if best else ""
