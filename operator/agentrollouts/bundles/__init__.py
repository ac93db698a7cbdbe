"""The evidence of rollbacks, given to the task ledger."""

from agentrollouts.bundles.ledger import LedgerBundles

__all__ = ["LedgerBundles"]
