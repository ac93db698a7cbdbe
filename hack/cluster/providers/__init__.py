"""The ways to a cluster: kind, native, existing. What each must do stands in `provider.py`."""
