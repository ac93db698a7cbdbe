"""Settings of a run from the environment: endpoint, model, prices, ledger and trial. Secrets are files or variables, never flags."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from agentrollouts.improver.budget import Price, read_prices
from agentrollouts.replay.pace import address

PREFIX: Final = "AGENT_ROLLOUTS_IMPROVER_"
LISTEN: Final = "127.0.0.1:8199"
"""Where the trial's agent finds recorded results, unless the environment says otherwise."""
FREE: Final = Price.model_validate({"input": "0", "output": "0"})
LEDGER_URL, LEDGER_TOKEN_FILE = "AGENT_ROLLOUTS_LEDGER_URL", "AGENT_ROLLOUTS_LEDGER_TOKEN_FILE"


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """``listen``: host and port at which recorded results are served to the trial's agent.

    ``lacking``: why no model may be asked, as a sentence; empty when all is there.
    """

    base_url: str
    model: str
    api_key: str = field(repr=False)
    price: Price
    ledger_url: str
    ledger_token: str = field(repr=False)
    trial_url: str
    listen: tuple[str, int]
    lacking: str


def read_settings(environment: Mapping[str, str], *, listen: str = "") -> Settings:
    """Settings from ``AGENT_ROLLOUTS_IMPROVER_*`` and ``AGENT_ROLLOUTS_LEDGER_*``; ``listen`` is what ``--listen`` says, if anything.

    Raises:
        ValueError: one can't be used at all; the message names it.
    """

    def of(name: str) -> str:
        return environment.get(PREFIX + name, "").strip()

    prices, model = _prices(of("PRICES")), of("MODEL")
    ledger_url, trial_url, base_url = environment.get(LEDGER_URL, "").strip(), of("TRIAL_URL"), of("BASE_URL")
    for name, url in (
        (PREFIX + "BASE_URL", base_url),
        (PREFIX + "TRIAL_URL", trial_url),
        (LEDGER_URL, ledger_url),
    ):
        if url and not url.startswith(("http://", "https://")):
            raise ValueError(f"expected an http or https URL in {name}; got {url!r}")
    api_key = _secret(of("API_KEY_FILE"), PREFIX + "API_KEY_FILE")
    keyless = of("KEYLESS").lower() == "true"
    missing = (
        ("an endpoint of a language model", PREFIX + "BASE_URL", base_url),
        ("the name of a model", PREFIX + "MODEL", model),
        ("the address of the task ledger", LEDGER_URL, ledger_url),
        ("the address of a trial", PREFIX + "TRIAL_URL", trial_url),
    )
    lacking = next(
        (
            f"there is no way to improve: expected {what} in {name}"
            for what, name, value in missing
            if not value
        ),
        "",
    )
    if not lacking and not api_key and not keyless:
        lacking = (
            f"there is no API key: name a file with one in {PREFIX}API_KEY_FILE, or set {PREFIX}KEYLESS to true for an "
            "endpoint that wants none"
        )
    if not lacking and model not in prices:
        lacking = (
            f"no price is known for the model {model}, so no budget can be kept: name it in {PREFIX}PRICES, zeros for a "
            "model of your own"
        )
    return Settings(
        base_url=base_url,
        model=model,
        api_key=api_key,
        price=prices.get(model, FREE),
        ledger_url=ledger_url,
        ledger_token=_secret(environment.get(LEDGER_TOKEN_FILE, ""), LEDGER_TOKEN_FILE),
        trial_url=trial_url,
        listen=address(listen) if listen else address(of("LISTEN") or LISTEN, PREFIX + "LISTEN"),
        lacking=lacking,
    )


def _prices(text: str) -> Mapping[str, Price]:
    try:
        return read_prices(text)
    except ValueError as error:
        raise ValueError(f"{PREFIX}PRICES: {error}") from error


def _secret(path: str, name: str) -> str:
    if not path:
        return ""
    try:
        return Path(path).read_text(encoding="utf-8").split()[0]
    except (OSError, UnicodeDecodeError, IndexError) as error:
        raise ValueError(
            f"expected a file with one word in {name}; got {path!r}, which has none that can be read"
        ) from error
