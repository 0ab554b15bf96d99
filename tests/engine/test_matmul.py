"""Products that are dealt out among threads are the products."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import torch

from undertow.engine.torch import matmul
from undertow.engine.torch.matmul import product, shifted_product


@pytest.fixture(params=[1, 2, 3])
def threads(request: pytest.FixtureRequest) -> Iterator[int]:
    before = torch.get_num_threads()
    torch.set_num_threads(request.param)
    yield request.param
    torch.set_num_threads(before)


@pytest.mark.parametrize("large", [1, 1 << 40])
@pytest.mark.parametrize("matrices", [1, 2, 3, 5, 7])
@pytest.mark.parametrize(("m", "k", "n"), [(6, 4, 8), (7, 3, 5), (6, 1, 5), (1, 9, 2)])
def test_against_plain_products(
    threads: int, large: int, matrices: int, m: int, k: int, n: int, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(matmul, "LARGE", large)
    random = torch.Generator().manual_seed(0)
    a = torch.randn(matrices, m, k, generator=random, dtype=torch.float64)
    b = torch.randn(matrices, n, k, generator=random, dtype=torch.float64).mT
    bias = torch.randn(matrices, m, 1, generator=random, dtype=torch.float64)
    room = torch.empty(matrices, m, n, dtype=torch.float64)
    torch.testing.assert_close(product(a, b, out=room), a @ b)
    torch.testing.assert_close(shifted_product(bias, a, b, out=room), a @ b + bias)
    same = b[:1].expand(matrices, -1, -1)
    torch.testing.assert_close(product(a, same, out=room), a @ same)
    torch.testing.assert_close(shifted_product(bias, a, same, out=room), a @ same + bias)
