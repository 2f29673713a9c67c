"""Every frame that RFC 9113 (and RFC 7541 below it) forbids ends its stream or its connection
with the code that the RFC names, and every frame that it allows is taken. The cases are those
of h2spec: generic, http2 and hpack."""

import pytest

import h2_scene
from h2_frames import (ACK, COMPRESSION_ERROR, DATA, ENABLE_PUSH, END_HEADERS,
                       END_STREAM, FLOW_CONTROL_ERROR, FRAME_SIZE_ERROR, GOAWAY, HAS_PRIORITY,
                       HEADER_TABLE_SIZE, HEADERS, INITIAL_WINDOW_SIZE, MAX_CONCURRENT_STREAMS,
                       MAX_FRAME_SIZE, MAX_HEADER_LIST_SIZE, PADDED, PING, PREFACE, PRIORITY,
                       PROTOCOL_ERROR, PUSH_PROMISE, REFUSED_STREAM, RST_STREAM, SETTINGS,
                       STREAM_CLOSED, WINDOW_UPDATE, Answer, Closed, ConnectionEnd, StreamError,
                       block, continuation, data, frame, get, goaway, headers, ping, priority,
                       rst_stream, settings, window_update)
from origin import Origins
from settings import pool

GET, HEAD = block(get()), block(get(method="HEAD"))
POST = block(get("/upload", "POST"))
SLOW = block(get("/delay/300"))
X_TEST = b"\x00\x85\xf2\xb2\x4a\x84\xff"  # a literal's name in Huffman code
OPEN, WHOLE = END_HEADERS, END_HEADERS | END_STREAM


@pytest.fixture(scope="module")
def sluice(certs):
    servers = Origins(legacy=1)
    with h2_scene.running(certs, {"legacy": pool(servers["legacy"])}) as instance:
        yield instance
    servers.stop()


def post(*more):
    return block(get("/upload", "POST") + list(more))


def in_two(fields):
    """A header block, the first half in HEADERS without an end."""
    return (frame(HEADERS, END_STREAM, 1, fields[:5]), continuation(1, fields[5:]))


def preceded(*bits):
    """A header block: these bytes before an ordinary request."""
    return headers(1, bytes(bits) + GET)


# --- what is allowed -----------------------------------------------------------------------------

ALLOWED = {
    "GET": [headers(1, GET)],
    "HEAD": [headers(1, HEAD)],
    "POST": [headers(1, POST, OPEN), data(1, b"test")],
    "POST with trailers": [headers(1, post(("trailer", "x-test")), OPEN), data(1, b"test", False),
                           headers(1, block([("x-test", "ok")]))],
    "several DATA frames": [headers(1, POST, OPEN), data(1, b"te", False), data(1, b"st")],
    "an empty DATA frame at the end": [headers(1, POST, OPEN), data(1, b"te", False), data(1)],
    "DATA with padding": [headers(1, POST, OPEN),
                          frame(DATA, END_STREAM | PADDED, 1, b"\x06test" + bytes(6))],
    "DATA of 2^14 bytes": [headers(1, POST, OPEN), data(1, bytes(1 << 14))],
    "a length that is kept": [headers(1, post(("content-length", "4")), OPEN), data(1, b"test")],
    "HEADERS with padding": [headers(1, GET, pad=9)],
    "HEADERS with a priority": [frame(HEADERS, WHOLE | HAS_PRIORITY, 1,
                                      b"\x00\x00\x00\x00\xff" + GET)],
    "PRIORITY on an idle stream": [priority(1, 0, 255), headers(1, GET)],
    "PRIORITY with a dependency": [priority(3, 1, 0, exclusive=True), headers(1, GET)],
    "PRIORITY behind the request": [headers(1, SLOW), priority(1)],
    "RST_STREAM of another stream": [headers(1, SLOW), headers(3, GET), rst_stream(3)],
    "WINDOW_UPDATE behind the request": [headers(1, SLOW), window_update(1, 100)],
    "WINDOW_UPDATE of the connection": [window_update(0, 100), headers(1, GET)],
    "WINDOW_UPDATE on a closed stream": [headers(1, SLOW), headers(3, GET), rst_stream(3),
                                         window_update(3, 100)],
    "RST_STREAM twice": [headers(1, SLOW), headers(3, GET), rst_stream(3), rst_stream(3)],
    "RST_STREAM with an unknown code": [headers(1, SLOW), headers(3, GET), rst_stream(3, 0xff)],
    "one CONTINUATION": list(in_two(GET)),
    "several CONTINUATIONs": [frame(HEADERS, END_STREAM, 1, GET[:2]),
                              continuation(1, GET[2:4], False), continuation(1, GET[4:])],
    "a frame of an unknown type": [frame(0xee, 0xff, 0, b"what"), headers(1, GET)],
    "a frame of an unknown type on a stream": [headers(1, SLOW), frame(0xee, 0, 1, b"what")],
    "an undefined flag": [ping(flags=0xfe & ~ACK), headers(1, GET)],
    "the reserved bit of the stream": [frame(HEADERS, WHOLE, 0x80000001, GET)],
    "SETTINGS": [settings((HEADER_TABLE_SIZE, 100), (MAX_CONCURRENT_STREAMS, 0),
                          (MAX_FRAME_SIZE, (1 << 24) - 1), (MAX_HEADER_LIST_SIZE, 1)),
                 headers(1, GET)],
    "SETTINGS of an unknown kind": [settings((0xff, 1)), headers(1, GET)],
    "SETTINGS without push": [settings((ENABLE_PUSH, 0)), headers(1, GET)],
    "a table of no bytes": [settings((HEADER_TABLE_SIZE, 0)), preceded(0x20)],
    "a window set twice": [settings((INITIAL_WINDOW_SIZE, 0), (INITIAL_WINDOW_SIZE, 100)),
                           headers(1, GET)],
    "two updates of the table's size": [preceded(0x20, 0x3f, 0x45)],
    "an indexed field": [headers(1, bytes([0x82, 0x86, 0x84]) + GET[-11:])],
    "a literal with a new name, to be indexed": [headers(1, GET + b"\x40\x04name\x01v")],
    "the same, taken from the table": [headers(1, GET + b"\x40\x04name\x01v"),
                                       headers(3, GET + b"\xbe"), rst_stream(3)],
    "a literal never to be indexed": [headers(1, GET + b"\x10\x04name\x01v")],
    "a literal in Huffman code": [headers(1, GET + X_TEST + b"\x83\x49\x50\x9f")],
    "GOAWAY of the client": [headers(1, SLOW), goaway()],
    "GOAWAY with an unknown code": [headers(1, SLOW), goaway(0, 0xff)],
}


@pytest.mark.parametrize("what", ALLOWED)
def test_what_is_allowed_is_answered(sluice, what):
    with h2_scene.raw(sluice) as raw:
        raw.send(*ALLOWED[what])

        assert raw.outcome(1) == Answer(200)


# --- what ends a stream --------------------------------------------------------------------------

STREAM_ERRORS = {
    "DATA on a stream whose end came": (
        [headers(1, SLOW), data(1, b"test")], STREAM_CLOSED),
    "HEADERS on a stream whose end came": (
        [headers(1, SLOW), headers(1, GET)], STREAM_CLOSED),
    "trailers without an end": (
        [headers(1, POST, OPEN), headers(1, block([("x", "y")]), OPEN)], PROTOCOL_ERROR),
    "WINDOW_UPDATE by 0": ([headers(1, POST, OPEN), window_update(1, 0)], PROTOCOL_ERROR),
    "a window above 2^31 - 1": (
        [headers(1, POST, OPEN), window_update(1, (1 << 31) - 1)], FLOW_CONTROL_ERROR),
    "a window above 2^31 - 1 by SETTINGS": (
        [headers(1, POST, OPEN), window_update(1, 1 << 30),
         settings((INITIAL_WINDOW_SIZE, (1 << 31) - 1))], FLOW_CONTROL_ERROR),
    "PRIORITY of a wrong length": (
        [headers(1, POST, OPEN), frame(PRIORITY, 0, 1, bytes(4))], FRAME_SIZE_ERROR),
    "less DATA than the length": (
        [headers(1, post(("content-length", "9")), OPEN), data(1, b"test")], PROTOCOL_ERROR),
    "more DATA than the length": (
        [headers(1, post(("content-length", "1")), OPEN), data(1, b"test")], PROTOCOL_ERROR),
    "DATA in pieces beside the length": (
        [headers(1, post(("content-length", "1")), OPEN), data(1, b"te", False), data(1, b"st")],
        PROTOCOL_ERROR),
    "a pseudo field in trailers": (
        [headers(1, POST, OPEN), data(1, b"test", False),
         headers(1, block([(":method", "GET")]))], PROTOCOL_ERROR),
}


@pytest.mark.parametrize("what", STREAM_ERRORS)
def test_what_ends_a_stream(sluice, what):
    frames, code = STREAM_ERRORS[what]
    with h2_scene.raw(sluice) as raw:
        raw.send(*frames)

        # A stream error may be treated as one of the connection (RFC 9113, 5.4.2), and a
        # malformed request may be answered (8.1.1).
        assert raw.outcome(1) in (StreamError(code), ConnectionEnd(code), Answer(400))


# --- what ends the connection --------------------------------------------------------------------

TOO_LONG = frame(HEADERS, WHOLE, 1, GET + b"\x00\x01x\x7f\x81\xff\x00" + bytes(16_400))

CONNECTION_ERRORS = {
    # 4: frames
    "HEADERS above the largest frame": ([TOO_LONG], FRAME_SIZE_ERROR),
    "DATA above the largest frame": (
        [headers(1, POST, OPEN), data(1, bytes((1 << 14) + 1))], FRAME_SIZE_ERROR),
    "a block that cannot be decoded": ([headers(1, b"\xff\xff\xff\xff\xff")], COMPRESSION_ERROR),
    "PRIORITY inside a block": ([in_two(GET)[0], priority(1)], PROTOCOL_ERROR),
    "HEADERS of another stream inside a block": ([in_two(GET)[0], headers(3, GET)],
                                                 PROTOCOL_ERROR),
    "an unknown frame inside a block": ([in_two(GET)[0], frame(0xee)], PROTOCOL_ERROR),
    # 5: streams
    "DATA on an idle stream": ([data(1, b"test")], PROTOCOL_ERROR),
    "RST_STREAM on an idle stream": ([rst_stream(1)], PROTOCOL_ERROR),
    "WINDOW_UPDATE on an idle stream": ([window_update(1, 100)], PROTOCOL_ERROR),
    "CONTINUATION on an idle stream": ([continuation(1, GET)], PROTOCOL_ERROR),
    "CONTINUATION behind a whole request": (
        [headers(1, SLOW), continuation(1, GET)], (PROTOCOL_ERROR, STREAM_CLOSED)),
    "an even stream": ([headers(2, GET)], PROTOCOL_ERROR),
    "a smaller stream": ([headers(5, SLOW), headers(3, GET)], (PROTOCOL_ERROR, STREAM_CLOSED)),
    # 6.1, 6.2: DATA, HEADERS
    "DATA on stream 0": ([data(0, b"test")], PROTOCOL_ERROR),
    "DATA that is all padding and more": (
        [headers(1, POST, OPEN), frame(DATA, END_STREAM | PADDED, 1, b"\x05test")],
        PROTOCOL_ERROR),
    "HEADERS on stream 0": ([headers(0, GET)], PROTOCOL_ERROR),
    "HEADERS that are all padding and more": (
        [frame(HEADERS, WHOLE | PADDED, 1, bytes([len(GET) + 1]) + GET)], PROTOCOL_ERROR),
    # 6.3, 6.4: PRIORITY, RST_STREAM
    "PRIORITY on stream 0": ([priority(0)], PROTOCOL_ERROR),
    "RST_STREAM on stream 0": ([rst_stream(0)], PROTOCOL_ERROR),
    "RST_STREAM of a wrong length": (
        [headers(1, SLOW), frame(RST_STREAM, 0, 1, bytes(3))], FRAME_SIZE_ERROR),
    # 6.5: SETTINGS
    "SETTINGS ACK with content": ([frame(SETTINGS, ACK, 0, bytes(6))], FRAME_SIZE_ERROR),
    "SETTINGS on a stream": ([frame(SETTINGS, 0, 1, bytes(6))], PROTOCOL_ERROR),
    "SETTINGS of a wrong length": ([frame(SETTINGS, 0, 0, bytes(3))], FRAME_SIZE_ERROR),
    "push neither on nor off": ([settings((ENABLE_PUSH, 2))], PROTOCOL_ERROR),
    "a first window above 2^31 - 1": (
        [settings((INITIAL_WINDOW_SIZE, 1 << 31))], FLOW_CONTROL_ERROR),
    "frames below 2^14": ([settings((MAX_FRAME_SIZE, (1 << 14) - 1))], PROTOCOL_ERROR),
    "frames above 2^24 - 1": ([settings((MAX_FRAME_SIZE, 1 << 24))], PROTOCOL_ERROR),
    # 6.6 to 6.10
    "PUSH_PROMISE of a client": (
        [headers(1, SLOW), frame(PUSH_PROMISE, END_HEADERS, 1, bytes([0, 0, 0, 2]) + GET)],
        PROTOCOL_ERROR),
    "PING on a stream": ([ping(stream=1)], PROTOCOL_ERROR),
    "PING of a wrong length": ([ping(bytes(6))], FRAME_SIZE_ERROR),
    "GOAWAY on a stream": ([goaway(stream=1)], PROTOCOL_ERROR),
    "WINDOW_UPDATE of the connection by 0": ([window_update(0, 0)], PROTOCOL_ERROR),
    "WINDOW_UPDATE of a wrong length": ([frame(WINDOW_UPDATE, 0, 0, bytes(3))], FRAME_SIZE_ERROR),
    "a window of the connection above 2^31 - 1": (
        [window_update(0, (1 << 31) - 1), window_update(0, (1 << 31) - 1)], FLOW_CONTROL_ERROR),
    "CONTINUATION and then another frame": (
        [frame(HEADERS, END_STREAM, 1, GET[:5]), continuation(1, GET[5:7], False),
         data(1, b"test")], PROTOCOL_ERROR),
    "CONTINUATION on stream 0": ([in_two(GET)[0], continuation(0, GET[5:])], PROTOCOL_ERROR),
    "CONTINUATION behind CONTINUATION that ended": (
        [*in_two(SLOW), continuation(1, b"")], (PROTOCOL_ERROR, STREAM_CLOSED)),
    "CONTINUATION behind DATA": (
        [headers(1, POST, OPEN), data(1, b"test", False), continuation(1, b"")], PROTOCOL_ERROR),
    # RFC 7541
    "an index beyond the table": ([preceded(0xc6)], COMPRESSION_ERROR),
    "a literal whose name is beyond the table": (
        [headers(1, GET + b"\x7f\x46\x05value")], COMPRESSION_ERROR),
    "index 0": ([preceded(0x80)], COMPRESSION_ERROR),
    "a change of the table's size at the end": ([headers(1, GET + b"\x3f\xe1\x1f")],
                                                COMPRESSION_ERROR),
    "a table larger than SETTINGS allow": ([preceded(0x3f, 0xe2, 0x1f)], COMPRESSION_ERROR),
    "Huffman code padded by a byte": ([headers(1, GET + X_TEST + b"\x84\x49\x50\x9f\xff")],
                                      COMPRESSION_ERROR),
    "Huffman code padded by zeros": ([headers(1, GET + X_TEST + b"\x83\x49\x50\x90")],
                                     COMPRESSION_ERROR),
    "Huffman code with EOS": (
        [headers(1, GET + X_TEST + b"\x87\x49\x50\x9f\xff\xff\xff\xff")], COMPRESSION_ERROR),
    "an integer without end": ([headers(1, GET + b"\x00" + b"\xff" * 12)], COMPRESSION_ERROR),
}


@pytest.mark.parametrize("what", CONNECTION_ERRORS)
def test_what_ends_the_connection(sluice, what):
    frames, codes = CONNECTION_ERRORS[what]
    with h2_scene.raw(sluice) as raw:
        raw.greeting()
        raw.send_anyhow(*frames)

        assert raw.ended() in (codes if isinstance(codes, tuple) else (codes,))
    with h2_scene.raw(sluice) as other:
        other.send(headers(1, GET))
        assert other.outcome(1) == Answer(200)


@pytest.mark.parametrize("then", ["DATA", "HEADERS", "CONTINUATION"])
@pytest.mark.parametrize("how", ["reset by the client", "over"])
def test_a_closed_stream_stays_closed(sluice, how, then):
    """RFC 9113, 5.1: what comes on it may end the connection, and never is a request."""
    frames = {"DATA": data(1, b"test"), "HEADERS": headers(1, GET),
              "CONTINUATION": continuation(1, GET)}
    ends = [ConnectionEnd(STREAM_CLOSED), ConnectionEnd(PROTOCOL_ERROR)]
    with h2_scene.raw(sluice) as raw:
        raw.send(headers(1, SLOW))
        if how == "over":
            assert raw.outcome(1) == Answer(200)
        else:
            raw.send(rst_stream(1))
        answers = len(raw.seen)
        raw.send(frames[then], headers(3, GET))

        assert raw.outcome(3) in (ends if then == "CONTINUATION" else [*ends, Answer(200)])
        assert not [got for got in raw.seen[answers:] if (got.kind, got.stream) == (HEADERS, 1)]


def test_a_stream_that_depends_on_itself_is_no_way_in(sluice):
    """RFC 7540, 5.3.1; RFC 9113 has no priorities any more."""
    for bad in (priority(1, 1), frame(HEADERS, WHOLE | HAS_PRIORITY, 1, b"\0\0\0\1\xff" + GET)):
        with h2_scene.raw(sluice) as raw:
            raw.send(headers(1, GET) if bad[3] == PRIORITY else b"", bad)

            assert raw.outcome(1) in (Answer(200), StreamError(PROTOCOL_ERROR),
                                      ConnectionEnd(PROTOCOL_ERROR))


# --- the preface, SETTINGS and PING --------------------------------------------------------------

def test_the_server_greets_first(sluice):
    with h2_scene.raw(sluice, greeting=PREFACE + settings()) as raw:
        greeting = raw.greeting()

        assert greeting[MAX_CONCURRENT_STREAMS] == 100
        assert greeting.get(ENABLE_PUSH, 0) == 0
        assert greeting.get(MAX_FRAME_SIZE, 1 << 14) == 1 << 14
        assert raw.wait(SETTINGS, flags=ACK).payload == b""


@pytest.mark.parametrize("tls", [True, False])
@pytest.mark.parametrize("preface", [b"INVALID CONNECTION PREFACE\r\n\r\n",
                                     PREFACE[:-4] + b"no\r\n\r\n" + settings(),
                                     PREFACE + headers(1, GET)])
def test_a_preface_that_is_none(sluice, preface, tls):
    with h2_scene.raw(sluice, tls, greeting=preface) as raw:
        end = raw.outcome(1) if tls or preface.startswith(PREFACE) else None

        assert end in (Closed(), ConnectionEnd(PROTOCOL_ERROR), None)
    assert h2_scene.get(sluice).status == 200


def test_the_preface_in_drops(sluice):
    with h2_scene.raw(sluice, greeting=b"") as raw:
        whole = PREFACE + settings() + headers(1, GET)
        for at in range(len(whole)):
            raw.send(whole[at:at + 1])

        assert raw.outcome(1) == Answer(200)


def test_ping_is_answered_and_its_answer_is_not(sluice):
    with h2_scene.raw(sluice) as raw:
        raw.send(ping(b"answered", flags=ACK), ping(b"question"))

        assert raw.wait(PING).payload == b"question"


def test_goaway_says_which_streams_were_taken(sluice):
    with h2_scene.raw(sluice) as raw:
        raw.send(headers(1, GET), headers(5, GET))
        raw.outcome(5)
        raw.send(ping(bytes(6)))
        last = int.from_bytes(raw.wait(GOAWAY).payload[:4], "big")

        assert last == 5
        assert raw.next() is None, "and the connection is closed"


def test_more_streams_than_allowed_are_refused(sluice):
    with h2_scene.raw(sluice) as raw:
        limit = raw.greeting()[MAX_CONCURRENT_STREAMS]
        streams = range(1, 2 * limit + 3, 2)
        raw.send(*(headers(n, SLOW) for n in streams))

        assert raw.outcome(streams[-1]) in (StreamError(REFUSED_STREAM),
                                            StreamError(PROTOCOL_ERROR),
                                            ConnectionEnd(PROTOCOL_ERROR))


# --- windows -------------------------------------------------------------------------------------

BODY = block(get("/bytes/1000"))


def test_a_window_of_one_byte(sluice):
    with h2_scene.raw(sluice) as raw:
        raw.send(settings((INITIAL_WINDOW_SIZE, 1)), headers(1, BODY))
        first = raw.wait(DATA, 1)
        raw.send(window_update(1, 2))

        assert len(first.payload) == 1
        assert len(raw.wait(DATA, 1).payload) == 2


def test_a_window_that_grows_later(sluice):
    with h2_scene.raw(sluice) as raw:
        raw.send(settings((INITIAL_WINDOW_SIZE, 0)), headers(1, BODY))
        raw.wait(HEADERS, 1)
        assert raw.is_alive()
        assert not [got for got in raw.seen if got.kind == DATA]
        raw.send(settings((INITIAL_WINDOW_SIZE, 1)))

        assert len(raw.wait(DATA, 1).payload) == 1


def test_a_window_below_zero(sluice):
    with h2_scene.raw(sluice) as raw:
        raw.send(settings((INITIAL_WINDOW_SIZE, 3)), headers(1, BODY))
        assert len(raw.wait(DATA, 1).payload) == 3
        raw.send(settings((INITIAL_WINDOW_SIZE, 2)), window_update(1, 2))

        assert len(raw.wait(DATA, 1).payload) == 1


def test_the_window_of_the_connection(sluice):
    with h2_scene.raw(sluice) as raw:
        raw.send(settings((INITIAL_WINDOW_SIZE, 1 << 20)), headers(1, block(get("/bytes/200000"))))
        got = 0
        while got < 65_535:
            got += len(raw.wait(DATA, 1).payload)
        assert got == 65_535
        assert raw.is_alive()
        assert raw.seen[-1].kind == PING
        raw.send(window_update(0, 5))

        assert len(raw.wait(DATA, 1).payload) == 5


