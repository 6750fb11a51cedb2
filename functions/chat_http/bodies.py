"""Request bodies: a customer's message in each of its three media types, and the rule for all others: JSON."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any
from urllib.parse import parse_qsl

from fastapi import Depends, Request
from fastapi.exceptions import RequestValidationError
from pydantic import ValidationError
from starlette.datastructures import UploadFile
from starlette.formparsers import MultiPartException, MultiPartParser

from functions.chat_http.problems import ProtocolError
from functions.chat_http.schemas import SendMessage
from shared.conversation.attachments import Upload

JSON = "application/json"
URLENCODED = "application/x-www-form-urlencoded"
MULTIPART = "multipart/form-data"

FILE_FIELDS = ("attachments", "attachments[]")
MAX_FIELDS = 20
MAX_FILES = 100
"""Only keeps a hostile body from making countless objects; how many attachments are welcome is decided later."""

NOT_UTF8 = "The body holds text that is not valid UTF-8."


def media_type(request: Request) -> str:
    return request.headers.get("content-type", "").partition(";")[0].strip().lower()


async def _json_only(request: Request) -> None:
    kind = media_type(request)
    if await request.body() and kind != JSON and not kind.endswith("+json"):
        raise ProtocolError(415, f"Send the body as {JSON}.")


json_only = Depends(_json_only)
"""A dependency: a body in any other media type is refused with 415."""


async def read_message(request: Request) -> tuple[SendMessage, list[Upload]]:
    """The message and its files.

    Raises `ProtocolError` for a body that cannot be read or has an unknown media type, `RequestValidationError` for one
    with wrong fields.
    """
    match media_type(request):
        case "application/json":
            return _message(await request.body()), []
        case "application/x-www-form-urlencoded":
            return _message(dict(_urlencoded(await request.body()))), []
        case "multipart/form-data":
            return await _multipart(request)
        case _:
            raise ProtocolError(415, f"Send the message as {MULTIPART}, {URLENCODED} or {JSON}.")


def _message(fields: dict[str, Any] | bytes) -> SendMessage:
    try:
        if isinstance(fields, bytes):
            return SendMessage.model_validate_json(fields)
        return SendMessage.model_validate(fields)
    except ValidationError as error:
        problems = error.errors(include_url=False, include_context=False, include_input=False)
        raise RequestValidationError([problem | {"loc": ("body", *problem["loc"])} for problem in problems]) from None


def _urlencoded(body: bytes) -> list[tuple[str, str]]:
    try:
        return parse_qsl(body.decode(), keep_blank_values=True, errors="strict", max_num_fields=MAX_FIELDS)
    except UnicodeDecodeError:
        raise ProtocolError(400, NOT_UTF8) from None
    except ValueError:
        raise ProtocolError(400, f"The form has more than {MAX_FIELDS} fields.") from None


async def _multipart(request: Request) -> tuple[SendMessage, list[Upload]]:
    parser = _StrictMultiPartParser(request.headers, request.stream(), max_files=MAX_FILES, max_fields=MAX_FIELDS)
    try:
        form = await parser.parse()
    except _NotUtf8:
        raise ProtocolError(400, NOT_UTF8) from None
    except MultiPartException:
        raise ProtocolError(
            400, "The multipart body can not be read: a boundary or a part's header is missing or wrong."
        ) from None
    try:
        return _message(_texts(form.multi_items())), await _files(form.multi_items())
    finally:
        await form.close()


def _texts(items: Iterable[tuple[str, UploadFile | str]]) -> dict[str, str]:
    texts = {name: value for name, value in items if isinstance(value, str)}
    if any(name in texts for name in FILE_FIELDS):
        raise _wrong_field("attachments", "Send it as a file, with a file name.")
    return texts


async def _files(items: Iterable[tuple[str, UploadFile | str]]) -> list[Upload]:
    files: list[Upload] = []
    for name, part in items:
        if isinstance(part, str) or not (part.filename or part.size):
            continue  # a browser sends an empty part for a file field without a file
        if name not in FILE_FIELDS:
            raise _wrong_field(name if name in SendMessage.model_fields else "file", "Send files as `attachments`.")
        files.append(Upload(part.filename or "", part.content_type or "", await part.read()))
    return files


def _wrong_field(field: str, text: str) -> RequestValidationError:
    return RequestValidationError([{"type": "wrong_field", "loc": ("body", field), "msg": text}])


class _NotUtf8(MultiPartException):
    pass


class _StrictMultiPartParser(MultiPartParser):
    """Starlette's parser reads what is not UTF-8 as Latin-1; a customer's words must not be changed silently."""

    def on_part_end(self) -> None:
        if self._current_part.file is None:
            try:
                self._current_part.data.decode()
            except UnicodeDecodeError:
                raise _NotUtf8("") from None
        super().on_part_end()
