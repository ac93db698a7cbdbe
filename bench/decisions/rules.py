"""The rules that are judged, by the name of their row."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from types import MappingProxyType

from bench.decisions import metric_peers, ours, peer_tests, peers
from bench.decisions.metric_rollouts import MetricMaker
from bench.decisions.rollouts import Maker

OURS = "Agent Rollouts"
RULES: Mapping[str, Maker] = MappingProxyType(
    {
        OURS: ours.sequential,
        "Argo, failureLimit 0": partial(peers.argo, 0),
        "Argo, failureLimit 3": partial(peers.argo, 3),
        "Flagger": peers.flagger,
        "error bands": peers.error_bands,
        "three in a row": peers.three_in_a_row,
        "Kayenta": peer_tests.kayenta,
        "z-test, peeked": peer_tests.peeked_z,
        "mixture SPRT": peer_tests.mixture_sprt,
    }
)
METRIC_RULES: Mapping[str, MetricMaker] = MappingProxyType(
    {OURS: ours.sequential_metrics, "fixed factors": metric_peers.fixed_factors}
)
