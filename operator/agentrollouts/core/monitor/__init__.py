"""The behaviour of the version that serves, against the profile it was accepted with (docs/monitoring.md).

It decides nothing and moves no traffic: what comes of it is a condition, an event and gauges.
"""
