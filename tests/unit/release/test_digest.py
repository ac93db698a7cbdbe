from __future__ import annotations

import hashlib

import pytest

from agentrollouts.api.agentversion import Release
from agentrollouts.release.digest import PARTS, artifact_digest, digest_of


def parts(letter: str = "a") -> dict[str, str]:
    return dict.fromkeys(PARTS, f"sha256:{letter * 64}")


def test_the_bytes_that_are_hashed_are_canonical_json() -> None:
    a = f"sha256:{'a' * 64}"
    text = f'{{"code":"{a}","data":"{a}","model":"{a}","prompts":"{a}","tools":"{a}"}}'
    assert artifact_digest(parts()) == f"sha256:{hashlib.sha256(text.encode()).hexdigest()}"


def test_the_order_of_the_parts_does_not_count() -> None:
    assert artifact_digest(dict(reversed(parts().items()))) == artifact_digest(parts())


@pytest.mark.parametrize("part", PARTS)
def test_each_part_counts(part: str) -> None:
    assert artifact_digest(parts() | {part: f"sha256:{'b' * 64}"}) != artifact_digest(parts())


def test_words_about_a_part_do_not_count() -> None:
    plain = {part: {"digest": digest} for part, digest in parts().items()}
    named = plain | {
        "model": {"digest": parts()["model"], "name": "a model", "parameters": {"temperature": "0"}}
    }
    assert digest_of(Release.model_validate(plain)) == digest_of(Release.model_validate(named))


@pytest.mark.parametrize("wrong", [{}, {"code": "sha256:"}, {**parts(), "more": "x"}])
def test_exactly_five_parts_are_demanded(wrong: dict[str, str]) -> None:
    with pytest.raises(ValueError, match="expected the digests of code, model"):
        artifact_digest(wrong)
