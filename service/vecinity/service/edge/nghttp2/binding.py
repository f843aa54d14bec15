"""libnghttp2's functions through cffi in ABI mode: no compiler, the system's library.

What a session needs and no more. Pointers that are only handed on are declared as what costs least in Python: user
data as an integer, text as ``char *`` (which `ffi.unpack` turns into bytes in one step).
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Any

import _cffi_backend
import cffi
import structlog

_NAMES = ("libnghttp2.so.14", "libnghttp2.14.dylib")
_VERSION_MIN = 0x012B00  # 1.43.0, the oldest that a supported distribution ships

_log = structlog.get_logger()

# Numbers from nghttp2.h and RFC 9113.
FRAME_DATA, FRAME_HEADERS, FRAME_PING = 0, 1, 6
FLAG_END_STREAM, FLAG_ACK = 1, 1
DATA_EOF_BEFORE_TRAILERS = 3
NO_COPY = 6  # of names and values: they outlive the session
SETTING_MAX_CONCURRENT_STREAMS, SETTING_INITIAL_WINDOW_SIZE, SETTING_MAX_HEADER_LIST_SIZE = 3, 4, 6
SETTING_NO_RFC7540_PRIORITIES = 9
NO_ERROR, CANCEL, ENHANCE_YOUR_CALM = 0, 8, 11
ERR_DEFERRED, ERR_TEMPORAL_CALLBACK_FAILURE, ERR_CALLBACK_FAILURE = -508, -521, -902
ERR_BAD_CLIENT_MAGIC = -903

_CDEF = """
typedef struct { int age; int version_num; const char *version_str; } nghttp2_info;
typedef struct nghttp2_session nghttp2_session;
typedef struct nghttp2_session_callbacks nghttp2_session_callbacks;
typedef struct nghttp2_option nghttp2_option;
typedef struct { size_t length; int32_t stream_id; uint8_t type; uint8_t flags; uint8_t reserved; } nghttp2_frame_hd;
typedef struct { nghttp2_frame_hd hd; } nghttp2_frame;
typedef struct { char *name; char *value; size_t namelen; size_t valuelen; uint8_t flags; } nghttp2_nv;
typedef struct { int32_t settings_id; uint32_t value; } nghttp2_settings_entry;
typedef ssize_t (*read_callback)(nghttp2_session *, int32_t, char *, size_t, uint32_t *, void *, uintptr_t);
typedef struct { void *source; read_callback read; } nghttp2_data_provider;

nghttp2_info *nghttp2_version(int);
const char *nghttp2_strerror(int);

int nghttp2_session_callbacks_new(nghttp2_session_callbacks **);
void nghttp2_session_callbacks_set_on_begin_headers_callback(nghttp2_session_callbacks *,
    int (*)(nghttp2_session *, const nghttp2_frame *, uintptr_t));
void nghttp2_session_callbacks_set_on_header_callback(nghttp2_session_callbacks *,
    int (*)(nghttp2_session *, const nghttp2_frame *, const char *, size_t, const char *, size_t, uint8_t, uintptr_t));
void nghttp2_session_callbacks_set_on_frame_recv_callback(nghttp2_session_callbacks *,
    int (*)(nghttp2_session *, const nghttp2_frame *, uintptr_t));
void nghttp2_session_callbacks_set_on_invalid_frame_recv_callback(nghttp2_session_callbacks *,
    int (*)(nghttp2_session *, const nghttp2_frame *, int, uintptr_t));
void nghttp2_session_callbacks_set_on_data_chunk_recv_callback(nghttp2_session_callbacks *,
    int (*)(nghttp2_session *, uint8_t, int32_t, const char *, size_t, uintptr_t));
void nghttp2_session_callbacks_set_on_stream_close_callback(nghttp2_session_callbacks *,
    int (*)(nghttp2_session *, int32_t, uint32_t, uintptr_t));

int nghttp2_option_new(nghttp2_option **);
void nghttp2_option_set_no_auto_window_update(nghttp2_option *, int);
void nghttp2_option_set_no_closed_streams(nghttp2_option *, int);
void nghttp2_option_set_stream_reset_rate_limit(nghttp2_option *, uint64_t, uint64_t);

int nghttp2_session_server_new2(nghttp2_session **, const nghttp2_session_callbacks *, uintptr_t,
    const nghttp2_option *);
void nghttp2_session_del(nghttp2_session *);
ssize_t nghttp2_session_mem_recv(nghttp2_session *, const char *, size_t);
ssize_t nghttp2_session_mem_send(nghttp2_session *, const char **);
int nghttp2_session_want_read(nghttp2_session *);
int nghttp2_session_want_write(nghttp2_session *);
int nghttp2_session_consume_connection(nghttp2_session *, size_t);
int nghttp2_session_consume_stream(nghttp2_session *, int32_t, size_t);
int nghttp2_session_set_local_window_size(nghttp2_session *, uint8_t, int32_t, int32_t);
int nghttp2_session_resume_data(nghttp2_session *, int32_t);
int32_t nghttp2_session_get_last_proc_stream_id(nghttp2_session *);
int nghttp2_submit_settings(nghttp2_session *, uint8_t, const nghttp2_settings_entry *, size_t);
int nghttp2_submit_response(nghttp2_session *, int32_t, const nghttp2_nv *, size_t, const nghttp2_data_provider *);
int nghttp2_submit_trailer(nghttp2_session *, int32_t, const nghttp2_nv *, size_t);
int nghttp2_submit_rst_stream(nghttp2_session *, uint8_t, int32_t, uint32_t);
int nghttp2_submit_ping(nghttp2_session *, uint8_t, const char *);
int nghttp2_submit_shutdown_notice(nghttp2_session *);
int nghttp2_submit_goaway(nghttp2_session *, uint8_t, int32_t, uint32_t, const char *, size_t);
"""


class LibraryError(Exception):
    """libnghttp2 is not there, or too old; the message says which and what to do."""


class HeaderBlock:
    """Header fields as libnghttp2 takes them, made once for many streams.

    Args:
        fields: Names in lower case and values.
        lasting: Whether the block outlives every session it is used in, so that libnghttp2 need not copy it.
    """

    __slots__ = ("_keep", "array", "length")

    def __init__(self, ffi: Any, fields: list[tuple[bytes, bytes]], *, lasting: bool = False) -> None:
        self.length = len(fields)
        self.array: Any = ffi.new("nghttp2_nv[]", self.length)
        self._keep: list[Any] = []
        for entry, (name, value) in zip(self.array, fields, strict=True):
            held_name, held_value = ffi.new("char[]", name), ffi.new("char[]", value)
            self._keep += (held_name, held_value)
            entry.name, entry.namelen = held_name, len(name)
            entry.value, entry.valuelen = held_value, len(value)
            entry.flags = NO_COPY if lasting else 0


class Library:
    """The library, loaded.

    Attributes:
        ffi: For the types declared above.
        unpack: Bytes from a ``char *`` and a length.
        memmove: Copies bytes.
        functions: The library's functions, by their names in C.
        version: Such as "1.52.0".
        limits_resets: Whether it limits RST_STREAM frames (CVE-2023-44487), as 1.57 does and older ones that a
            distribution mended.

    Raises:
        LibraryError: There is no libnghttp2, or one too old.
    """

    def __init__(self, names: tuple[str, ...] = _NAMES) -> None:
        ffi: Any = cffi.FFI()
        self.ffi = ffi
        self.ffi.cdef(_CDEF)
        # What `ffi.unpack` and `ffi.memmove` call, without their frame in Python.
        self.unpack: Callable[[Any, int], bytes] = _cffi_backend.unpack
        self.memmove: Callable[[Any, Any, int], None] = _cffi_backend.memmove
        self.functions: Any = self._open(names)
        info = self.functions.nghttp2_version(0)
        self.version = self.ffi.string(info.version_str).decode()
        if info.version_num < _VERSION_MIN:
            raise LibraryError(f"libnghttp2 {self.version} is too old: 1.43.0 or newer is needed")
        self.limits_resets = self._has("nghttp2_option_set_stream_reset_rate_limit")

    def error(self, code: int) -> str:
        """What one of the library's error codes means."""
        return str(self.ffi.string(self.functions.nghttp2_strerror(code)).decode())

    def callback(self, signature: str, function: Callable[..., int]) -> Any:
        """A function of ours that the library can call. An exception in it ends the connection."""

        def failed(kind: Any, error: Any, traceback: Any) -> None:
            _log.error("fault in a connection", exc_info=(kind, error, traceback))

        return self.ffi.callback(signature, function, error=ERR_CALLBACK_FAILURE, onerror=failed)

    def _open(self, names: tuple[str, ...]) -> Any:
        for name in names:
            try:
                return self.ffi.dlopen(name)
            except OSError:
                continue
        raise LibraryError(f"there is no {names[0]}: install libnghttp2-14 (Debian, Ubuntu) or libnghttp2 (Fedora)")

    def _has(self, function: str) -> bool:
        try:
            getattr(self.functions, function)
        except AttributeError:
            return False
        return True


@lru_cache(maxsize=1)
def load() -> Library:
    """The library, loaded at the first call.

    Raises:
        LibraryError: There is no libnghttp2, or one too old.
    """
    return Library()
