# A thin list of targets; what they do is written in Python (hack/) and shown by `make help`.
# CLUSTER=kind|native|existing chooses the cluster; by itself it is kind where a container engine answers, else native.

SHELL := /bin/sh
.DEFAULT_GOAL := help
PYTHON ?= python3
RUN := .venv/bin/python
CLUSTER ?= auto
KEEP ?=
REPS ?= 1000
METRIC_REPS ?= $(REPS)
QUICK ?=
RESUME ?=
export CLUSTER KEEP
# hack.demo, tests and benchmarks find the cluster here; a kubeconfig of yours counts only with CLUSTER=existing.
ifneq ($(CLUSTER),existing)
export KUBECONFIG := $(CURDIR)/.state/kubeconfig
endif
# kubectl's cache would lie in ~/.kube.
export KUBECACHEDIR := $(CURDIR)/.state/kubectl-cache
WITH_CLIENTS := PATH="$(CURDIR)/.state/bin:$$PATH"

.PHONY: help setup tools images cluster cluster-down cluster-status test fast lint type unit integration lifecycle e2e demo demo-learn crds chart bench bench-decisions

help: ## Show the targets
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / {printf "  %-16s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: ## Make the virtual environment from the lock (uv)
	@$(PYTHON) hack/setup.py

tools: setup ## Build the cluster's programs into the cache
	@$(RUN) -m hack.cluster tools

cluster: setup ## Make a Kubernetes cluster, or find it ready
	@$(RUN) -m hack.cluster up

cluster-down: setup ## Remove the cluster and everything it made on this machine
	@$(RUN) -m hack.cluster down

cluster-status: setup ## Say how the cluster is (exit code 1: not usable)
	@$(RUN) -m hack.cluster status

images: cluster ## Build what changed of the images and put it into the cluster
	@$(RUN) -m hack.cluster images

demo: setup ## The whole story on a real cluster, about five minutes (KEEP=1 leaves it running)
	@$(WITH_CLIENTS) $(RUN) -m hack.demo

demo-learn: setup ## An agent that writes better versions of itself, and what stops the worse ones (KEEP=1 leaves it running)
	@$(WITH_CLIENTS) $(RUN) -m hack.learn

test: fast integration lifecycle e2e ## Everything: lint, types, layers, unit to e2e on a real cluster

fast: lint type unit ## What needs no cluster, in a few minutes

lint: setup ## Style, layers, and no model named in code
	@.venv/bin/ruff check .
	@.venv/bin/ruff format --check .
	@.venv/bin/lint-imports
	@$(RUN) -m agentrollouts.api.crd --check
	@$(RUN) charts/sync_crds.py --check
	@$(RUN) -m agentrollouts.cli.app models lint operator agents bench charts hack --allow operator/agentrollouts/models/families.py

type: setup ## Types
	@.venv/bin/mypy

unit: setup ## Unit, property, contract and data plane tests (no cluster)
	@$(RUN) -m hack.cluster tools helm registry
	@$(RUN) -m hack.prometheus
	@$(WITH_CLIENTS) $(RUN) -m pytest tests --ignore=tests/integration --ignore=tests/e2e --ignore=tests/scale --ignore=tests/lifecycle

integration: setup ## Tests against a real kube-apiserver
	@$(RUN) -m hack.cluster tools kube-apiserver etcd kube-controller-manager kubeadm kubectl
	@$(RUN) -m hack.prometheus
	@$(WITH_CLIENTS) $(RUN) -m pytest tests/integration

lifecycle: tools ## Cluster up, cut off, down, nothing left (native only; takes a running one down)
	@$(RUN) -m pytest tests/lifecycle

e2e: images ## Tests on the real cluster
	@$(WITH_CLIENTS) $(RUN) -m pytest tests/e2e

crds: setup ## Write crds/ anew from the models
	@$(RUN) -m agentrollouts.api.crd

chart: crds ## Copy crds/ into the chart
	@$(RUN) charts/sync_crds.py

bench: setup ## Measure, about ten minutes; figures as JSON in .state/bench
	@$(RUN) -m hack.cluster tools kube-apiserver etcd kube-controller-manager kubeadm kubectl kwok
	@$(WITH_CLIENTS) $(RUN) -m bench

bench-decisions: setup ## Play all rollouts of docs/decision-quality.md anew, four hours (REPS=100 METRIC_REPS=50: less, QUICK=1: prints, RESUME=1: goes on)
	@$(RUN) -m bench.decisions --reps $(REPS) --metric-reps $(METRIC_REPS) $(if $(QUICK),--quick) $(if $(RESUME),--resume)
