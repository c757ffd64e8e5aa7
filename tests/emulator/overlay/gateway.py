"""The way of a call: told apart, noted, faulted, judged, given to moto, and answered. P13 stands here too.

Knows the order of these steps and nothing of what moto does.
"""

from __future__ import annotations

import contextlib
import gzip
import io
import sys
import time
import traceback
from collections.abc import Callable, Iterable
from typing import Any

from moto import backends
from moto.iam.models import iam_backends
from moto.moto_server.werkzeug_app import DomainDispatcherApplication, MotoRequestHandler, create_backend_app

from overlay import (
    cbor_protocol,
    controls,
    identity,
    metering,
    placement_scores,
    price_list,
    quotas,
    reserved_instances,
    savings_plans,
    spot_prices,
    trust,
    type_catalog,
    wire,
)
from overlay.call_log import LOG, Entry
from overlay.calls import Call, identify
from overlay.declared import Patch, replace
from overlay.faults import FAULTS, Fault
from overlay.stacks import acting
from overlay.stacks import service as stack_service
from overlay.world import LOCK

StartResponse = Callable[..., Any]

CRASH = "EmulatorCrash"
MISSING = "EmulatorNotImplemented"

#: Services that the overlay answers itself.
_OWN: dict[str, Callable[[Call], wire.Answer]] = {
    "pricing:GetProducts": price_list.get_products,
    "ec2:DescribeSpotPriceHistory": spot_prices.answer,
    "ec2:DescribeInstanceTypes": type_catalog.answer,
    **metering.ANSWERS,
    **placement_scores.ANSWERS,
    **quotas.ANSWERS,
    **reserved_instances.ANSWERS,
    **savings_plans.ANSWERS,
}


class Dropped(ConnectionAbortedError):
    """Ends the connection without an answer."""


class Handler(MotoRequestHandler):
    """moto's handler, silent, and with connections that really end."""

    def log_request(self, code: Any = "-", size: Any = "-") -> None:
        """The call log is the record of requests."""

    def connection_dropped(self, error: BaseException, environ: Any = None) -> None:
        """Without this the client of a kept-alive connection would wait for its answer."""
        self.close_connection = True


class Gateway:
    """The WSGI application that stands before moto's."""

    def __init__(self) -> None:
        self._moto = DomainDispatcherApplication(create_backend_app)
        acting.PERFORM[:] = [self._for_stack]

    def __call__(self, environ: dict[str, Any], start_response: StartResponse) -> Iterable[bytes]:
        body = _body(environ)
        path = environ.get("PATH_INFO", "/")
        if path.startswith("/harness"):
            answer = controls.handle(environ.get("REQUEST_METHOD", "GET"), path, environ.get("QUERY_STRING", ""), body)
        else:
            answer = self._call(environ, body)
        if answer.lost:
            raise Dropped
        headers = [(name, value) for name, value in answer.headers.items() if name.lower() != "content-length"]
        start_response(f"{answer.status} .", [*headers, ("Content-Length", str(len(answer.body)))])
        return [b"" if environ.get("REQUEST_METHOD") == "HEAD" else answer.body]

    def _call(self, environ: dict[str, Any], body: bytes) -> wire.Answer:
        with LOCK:
            call = identify(environ, body)
            acting.HOST[0] = environ.get("HTTP_HOST", acting.HOST[0])
        entry = LOG.begin(call)
        began = time.monotonic()
        answer = self._answer(environ, body, call, entry)
        told = wire.error_in(answer)
        if told is not None:
            entry.error, entry.message = told
            # moto gives nearly every error the same status, and SDKs decide by it.
            if answer.status == 400 and entry.fault is None:
                answer.status = wire.status_of(told[0])
        if answer.lost:
            entry.error, entry.message = "ConnectionClosed", "The connection was closed without an answer."
        entry.status = None if answer.lost else answer.status
        entry.millis = round((time.monotonic() - began) * 1000, 1)
        return answer

    def _for_stack(self, environ: dict[str, Any], body: bytes, judged: bool) -> wire.Answer:
        """A call that a stack makes: faulted and, with keys of somebody, judged; not in the log."""
        call = identify(environ, body)
        fault = FAULTS.take(call)
        if fault is not None and fault.code and not fault.effect:
            return wire.error(call, fault.code, fault.message, fault.status)
        caller, refusal = identity.judge(call) if judged else (None, None)
        before = trust.CALLING.set(caller)
        answer = refusal if refusal is not None else self._perform(environ, body, call)
        trust.CALLING.reset(before)
        told = wire.error_in(answer)
        if told is not None and answer.status == 400:
            answer.status = wire.status_of(told[0])
        return answer

    def _answer(self, environ: dict[str, Any], body: bytes, call: Call, entry: Entry) -> wire.Answer:
        fault = FAULTS.take(call)
        if fault is None:
            return self._judged(environ, body, call, entry)
        entry.fault = fault.id
        time.sleep(fault.delay)
        answer = self._judged(environ, body, call, entry) if fault.effect else None
        time.sleep(fault.delay_after)
        return _faulted(fault, call, answer)

    def _judged(self, environ: dict[str, Any], body: bytes, call: Call, entry: Entry) -> wire.Answer:
        # A long poll must not keep all others waiting, and moto's queues look after themselves.
        with LOCK if call.service != "sqs" else contextlib.nullcontext():
            caller, refusal = identity.judge(call)
            entry.principal = caller.arn
            trust.CALLING.set(caller)
            if refusal is not None:
                return refusal
            return self._perform(environ, body, call)

    def _perform(self, environ: dict[str, Any], body: bytes, call: Call) -> wire.Answer:
        own = stack_service.answer if call.service == "cloudformation" else _OWN.get(call.name)
        try:
            if own is not None:
                return own(call)
            if call.protocol == "cbor":
                changed, written = cbor_protocol.to_json(environ, body)
                return cbor_protocol.from_json(self._ask_moto(changed, written), call.action)
            answer = self._ask_moto(environ, body)
        except NotImplementedError as error:
            return wire.error(call, MISSING, f"moto does not implement {call.name}: {error}", 400)
        except Exception as error:
            host = self._moto.infer_service_region_host(environ, call.path)
            if host is None or self._moto.get_backend_for_host(host) is None:
                return wire.error(call, MISSING, f"moto has no service for {call.name}", 400)
            traceback.print_exc(file=sys.stderr)
            where = traceback.extract_tb(error.__traceback__)[-1]
            words = f"{type(error).__name__}: {error} at {where.filename.rsplit('/', 1)[-1]}:{where.lineno}"
            return wire.error(call, CRASH, words, 400)
        if answer.status in (404, 405, 500) and wire.error_in(answer) == (f"HTTP{answer.status}", ""):
            return wire.error(call, MISSING, f"moto has no such action: {call.name}", 400)
        return answer

    def _ask_moto(self, environ: dict[str, Any], body: bytes) -> wire.Answer:
        told: dict[str, Any] = {}

        def start(status: str, headers: list[tuple[str, str]], exc_info: Any = None) -> Callable[[bytes], None]:
            told["status"], told["headers"] = int(status.split(" ", 1)[0]), dict(headers)
            return lambda _: None

        given = {**environ, "wsgi.input": io.BytesIO(body), "CONTENT_LENGTH": str(len(body))}
        given.pop("HTTP_TRANSFER_ENCODING", None)
        chunks = self._moto(given, start)
        try:
            read = b"".join(chunks)
        finally:
            getattr(chunks, "close", lambda: None)()
        return wire.Answer(told["status"], told["headers"], read)


def _faulted(fault: Fault, call: Call, answer: wire.Answer | None) -> wire.Answer:
    if fault.answer == "close":
        return wire.Answer(0, lost=True)
    if fault.answer == "error":
        return wire.error(call, fault.code or "", fault.message, fault.status)
    assert answer is not None
    return answer


def _body(environ: dict[str, Any]) -> bytes:
    """The body, unpacked where it came packed."""
    stream = environ["wsgi.input"]
    length = environ.get("CONTENT_LENGTH")
    body = b""
    if length:
        body = bytes(stream.read(int(length)))
    elif environ.get("wsgi.input_terminated"):
        # werkzeug ends the stream by itself where the request came in chunks.
        body = bytes(stream.read())
    if environ.get("HTTP_CONTENT_ENCODING") == "gzip":
        # SDKs pack larger requests to CloudWatch.
        body = gzip.decompress(body)
        del environ["HTTP_CONTENT_ENCODING"]
    return body


def _apply() -> None:
    # moto lists its own folder with each request, which takes longer than most calls.
    modules = tuple(backends.list_of_moto_modules())
    replace(backends, "list_of_moto_modules", lambda: modules)
    # Made before the first call, so that threads do not race for it.
    iam_backends["123456789012"]["aws"]


PATCH = Patch(
    name="P13",
    gap=(
        "a crash or a missing action is an HTML page with status 500, which SDKs send again and again; half of the"
        " time goes into listing moto's folder"
    ),
    touches=(
        "moto.backends:list_of_moto_modules",
        "moto.moto_server.werkzeug_app:DomainDispatcherApplication",
        "moto.moto_server.werkzeug_app:create_backend_app",
        "moto.moto_server.werkzeug_app:MotoRequestHandler",
    ),
    apply=_apply,
)
