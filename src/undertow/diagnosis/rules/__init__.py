"""The rules, one a file; a new one is a file here, a line below, a page and a test."""

from __future__ import annotations

from undertow.diagnosis.rule import Rule
from undertow.diagnosis.rules import (
    ut101_vanishing,
    ut102_exploding,
    ut103_dead,
    ut104_saturated,
    ut105_nonfinite,
    ut106_large_updates,
    ut107_small_updates,
    ut108_no_gradient,
    ut109_symmetric,
    ut110_born_dead,
    ut111_unscaled_inputs,
    ut112_small_batch,
    ut113_off_critical,
    ut114_diverging,
)

RULES: tuple[Rule, ...] = (
    ut101_vanishing.RULE,
    ut102_exploding.RULE,
    ut103_dead.RULE,
    ut104_saturated.RULE,
    ut105_nonfinite.RULE,
    ut106_large_updates.RULE,
    ut107_small_updates.RULE,
    ut108_no_gradient.RULE,
    ut109_symmetric.RULE,
    ut110_born_dead.RULE,
    ut111_unscaled_inputs.RULE,
    ut112_small_batch.RULE,
    ut113_off_critical.RULE,
    ut114_diverging.RULE,
)
