"""A gigabyte down and up: equal checksums, flat memory."""

import hashlib

import pytest

from origin import pattern

PERIOD = 65521
CHUNKED = 1 << 25
BLOCK = pattern(PERIOD * 16)


@pytest.fixture
def size(is_sanitized):
    return (1 << 30) if not is_sanitized else (1 << 27)


def blocks(size):
    while size > 0:
        piece = BLOCK[:size]
        size -= len(piece)
        yield piece


def in_chunks(piece, size):
    parts = (piece[at:at + size] for at in range(0, len(piece), size))
    return b"".join(b"%x\r\n%b\r\n" % (len(part), part) for part in parts)


def digest(size):
    sha = hashlib.sha256()
    for piece in blocks(size):
        sha.update(piece)
    return sha.hexdigest()


@pytest.fixture
def flat(is_sanitized):
    """Fails when sluice grew by more than its buffers could."""

    def check(sluice, before):
        if not is_sanitized:
            assert sluice.rss_bytes() - before < 16 * 1024 * 1024

    return check


def test_down_with_a_length(site, size, flat):
    sluice = site()
    before = sluice.rss_bytes()

    with sluice.client() as client:
        response = client.request(f"/bytes/{size}", keep_body=False)

    assert response.body_bytes == size
    assert response.sha256 == digest(size)
    flat(sluice, before)


@pytest.mark.parametrize("chunk", [100, 8192, 900_000])
def test_down_chunked(site, flat, chunk):
    sluice = site()
    before = sluice.rss_bytes()

    with sluice.client() as client:
        response = client.request(f"/chunked/{CHUNKED}?chunk_bytes={chunk}", keep_body=False)

    assert response.body_bytes == CHUNKED
    assert response.sha256 == digest(CHUNKED)
    flat(sluice, before)


def test_up_with_a_length(site, size, flat):
    sluice = site()
    before = sluice.rss_bytes()

    with sluice.client() as client:
        client.send(f"POST /upload HTTP/1.1\r\nHost: a\r\nContent-Length: {size}\r\n\r\n")
        for piece in blocks(size):
            client.send(piece)
        response = client.read_response()

    assert response.get("x-body-bytes") == str(size)
    assert response.get("x-body-sha256") == digest(size)
    flat(sluice, before)


@pytest.mark.parametrize("chunk", [100, 8192, 900_000])
def test_up_chunked(site, flat, chunk):
    sluice = site()
    before = sluice.rss_bytes()

    with sluice.client() as client:
        client.send("POST /upload HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n")
        for piece in blocks(CHUNKED):
            client.send(in_chunks(piece, chunk))
        client.send("0\r\n\r\n")
        response = client.read_response()

    assert response.get("x-body-sha256") == digest(CHUNKED)
    flat(sluice, before)
