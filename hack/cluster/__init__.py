"""One Kubernetes cluster for the demo and the tests, made in whichever way this machine allows.

`python -m hack.cluster up|down|status|images|tools|kwok`. Three providers give the same cluster to the same
chart: `kind` where a container engine answers, `native` (plain processes) on Linux as root where none does,
and `existing`, which is used only when asked for. The user's own kubeconfig is neither read nor written.
"""
