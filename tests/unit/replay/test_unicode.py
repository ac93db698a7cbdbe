"""What no file takes is replaced before anything is kept, and nothing else is touched."""

from __future__ import annotations

import json
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from agentrollouts.replay.source import from_file
from agentrollouts.replay.unicode import written_down
from tests.replay.lanes import document

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=10,
)


@given(JSON)
def test_what_can_be_written_stays_as_it_is(value: object) -> None:
    assert written_down(value) is value


def test_half_a_pair_becomes_a_question_mark_wherever_it_is() -> None:
    assert written_down({"a\ud800": ["b\udfff", 1]}) == {"a?": ["b?", 1]}


def test_a_recorded_task_with_half_a_pair_can_be_replayed_and_kept(tmp_path: Path) -> None:
    path = tmp_path / "tasks.jsonl"
    path.write_text(json.dumps(document(1, output={"answer": "\ud800", "label": "shipped"})))
    (record,) = from_file(path)
    assert record.output == {"answer": "?", "label": "shipped"}
    assert record.model_dump_json().encode()
