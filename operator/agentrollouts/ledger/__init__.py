"""The task ledger: finished tasks with what went in and came out, the failure log, and the evidence of every rollback."""
