"""Arrays come back to the bit; what is noise is stored, what is not gets shorter."""

from __future__ import annotations

import zlib

import hypothesis.extra.numpy as hnp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from undertow.trace.store.array_codec import SMALL, decode_array, encode_array


def same(back: np.ndarray, array: np.ndarray) -> None:
    assert back.dtype == array.dtype
    assert back.shape == array.shape
    assert back.tobytes() == array.tobytes()


@given(
    hnp.arrays(st.sampled_from(["<f4", "<f8", "<i8", "|u1", "<i4"]), hnp.array_shapes(min_side=0))
)
def test_packing_keeps_every_bit(array: np.ndarray):
    same(decode_array(*encode_array(array)), array)


@given(st.integers(0, 2**32 - 1), st.sampled_from([1, SMALL - 1, SMALL, SMALL + 1, 200_003]))
def test_planes_of_every_length_and_any_mixture_come_back(seed: int, count: int):
    random = np.random.default_rng(seed)
    bits = random.integers(0, 2**32, count, np.uint32)
    bits &= np.uint32(random.integers(0, 2**32))  # some planes are noise, some are not
    bits[random.integers(count) :] = random.integers(0, 2**32)  # and some change half way
    same(decode_array(*encode_array(bits.view(np.float32))), bits.view(np.float32))


def test_packing_does_not_need_contiguous_arrays():
    array = np.arange(24, dtype=np.float32).reshape(2, 3, 4).transpose(2, 0, 1)
    assert np.array_equal(decode_array(*encode_array(array)), array)


def test_it_is_one_zlib_stream_of_planes():
    array = np.random.default_rng(0).normal(size=(128, 77)).astype(np.float32)
    _, _, data = encode_array(array)
    planes = np.frombuffer(zlib.decompress(data), np.uint8).reshape(4, -1)
    assert np.array_equal(planes, array.view(np.uint8).reshape(-1, 4).T)


def test_what_is_measured_gets_shorter_by_its_exponents():
    norms = np.exp(np.random.default_rng(1).normal(-9, 1, (128, 7, 11))).astype(np.float32)
    planes = norms.view(np.uint8).reshape(-1, 4).T.copy()
    together = zlib.compressobj(1, zlib.DEFLATED, strategy=zlib.Z_RLE)
    whole = len(together.compress(planes) + together.flush())
    assert len(encode_array(norms)[2]) < min(1.01 * whole, 0.9 * norms.nbytes)


def test_noise_takes_no_more_than_itself_and_a_constant_next_to_nothing():
    noise = np.random.default_rng(2).integers(0, 2**32, 500_000, np.uint32)
    assert len(encode_array(noise)[2]) < noise.nbytes + noise.nbytes // 1000
    assert len(encode_array(np.zeros_like(noise))[2]) < noise.nbytes // 100


def test_a_stream_that_was_damaged_is_noticed():
    noise = np.random.default_rng(3).integers(0, 2**32, 50_000, np.uint32)
    kind, shape, data = encode_array(noise)
    for place in (100, len(data) // 2, len(data) - 1):
        damaged = bytearray(data)
        damaged[place] ^= 1
        with pytest.raises(zlib.error):
            decode_array(kind, shape, bytes(damaged))
